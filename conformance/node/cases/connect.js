'use strict';
// Who may connect.

const { AMQPS, Certificate, DEVICE, HTTP, LINKS, MQTTS, Message, check, define, equal, refused } = require('../framework');
const { ALIAS } = require('../hub');

define('connect/again', DEVICE, async (c) => {
  const device = await c.device();
  const client = await c.open(device);
  await client.sendEvent(new Message('first'));
  await client.close();
  const again = await c.open(device);
  await again.sendEvent(new Message('second'));
  const events = await c.events(device).takeMany(2);
  equal(events.map((event) => event.text), ['first', 'second']);
});

define('connect/any-legal-id', DEVICE, async (c) => {
  const device = await c.device({ suffix: "-:.+%_#*?!(),=@$'" });
  await c.tryToSend(device);
  equal((await c.events(device).take()).deviceId, device.deviceId);
});

define('connect/plug-and-play-model', MQTTS, async (c) => {
  const device = await c.device();
  await c.tryToSend(device, { options: { modelId: 'dtmi:com:example:Thermostat;1' } });
  equal((await c.events(device).take()).system['dt-dataschema'], 'dtmi:com:example:Thermostat;1');
  equal((await c.twin(device)).modelId, 'dtmi:com:example:Thermostat;1');
});

define('connect/by-a-gateway-name', LINKS, async (c) => {
  const device = await c.device();
  const names = `HostName=${ALIAS};GatewayHostName=${c.hub.hostName}`;
  const connectionString = `${names};DeviceId=${device.deviceId};SharedAccessKey=${device.key}`;
  await c.tryToSend(device, { connectionString });
  equal((await c.events(device).take()).text, 'let me in');
});

define('connect/wrong-key', DEVICE, async (c) => {
  const device = await c.device();
  const key = 'dGhpcyBpcyBub3QgdGhlIGtleSBvZiB0aGlzIGRldmljZQ==';
  await refused(() => c.tryToSend({ ...device, key }), 'UnauthorizedError');
});

define('connect/unknown-device', DEVICE, async (c) => {
  await refused(() => c.tryToSend(c.unregistered()), 'UnauthorizedError');
});

function refusalOfTheDisabled(c) {
  if (c.isAmqp) return 'UnauthorizedError';
  return c.isMqtt ? 'ServiceUnavailableError' : 'IotHubQuotaExceededError';
}

define('connect/disabled-device', DEVICE, async (c) => {
  const device = await c.device({ status: 'disabled' });
  await refused(() => c.tryToSend(device), refusalOfTheDisabled(c));
});

define('connect/module', LINKS, async (c) => {
  const device = await c.device();
  const module = await c.module(device);
  await c.tryToSend(module);
  await c.tryToSend(device);
  const events = await c.events(device).takeMany(2);
  equal(events.map((event) => event.moduleId), [module.moduleId, undefined]);
});

define('connect/unknown-module', LINKS, async (c) => {
  const { deviceId } = await c.device();
  await refused(() => c.tryToSend(c.unregistered({ deviceId, moduleId: 'unknown' })), 'UnauthorizedError');
});

define('x509/thumbprint', DEVICE, async (c) => {
  const certificate = new Certificate('a device');
  const stranger = new Certificate('stranger').thumbprint();
  const first = await c.x509Device(certificate.thumbprint(), stranger);
  const second = await c.x509Device(stranger, certificate.thumbprint('sha1'));
  for (const device of [first, second]) {
    await c.tryToSend({ ...device, certificate });
    const event = await c.events(device).take();
    check(event.system['iothub-connection-auth-method'].includes('x509'), event.system['iothub-connection-auth-method']);
  }
});

define('x509/another-certificate', DEVICE, async (c) => {
  const device = await c.x509Device(new Certificate('its own').thumbprint());
  await refused(() => c.tryToSend({ ...device, certificate: new Certificate('its own') }), 'UnauthorizedError');
});

async function authority(c, isVerified) {
  const certificate = new Certificate(c.newId('-ca'), { isAuthority: true });
  const entry = { name: certificate.name, pem: certificate.pem, isVerified };
  await c.hub.changeSettings((settings) => settings.caCertificates.push(entry));
  return certificate;
}

async function signed(c, issuer) {
  const device = await c.device({ authentication: { type: 'certificateAuthority' } });
  return { ...device, certificate: new Certificate(device.deviceId, { issuer }) };
}

define('x509/ca', DEVICE, async (c) => {
  const device = await signed(c, await authority(c, true));
  await c.tryToSend(device);
  equal((await c.events(device).take()).deviceId, device.deviceId);
});

define('x509/ca-not-verified', DEVICE, async (c) => {
  const device = await signed(c, await authority(c, false));
  await refused(() => c.tryToSend(device), 'UnauthorizedError');
});

define('takeover/the-newest-wins', LINKS, async (c) => {
  const device = await c.device();
  const old = await c.client(device, { once: true });
  const cuts = c.cuts(old);
  await old.open();
  // Over AMQP it is the links that an identity has once.
  await old.sendEvent(new Message('from the old one'));
  equal((await c.events(device).take()).text, 'from the old one');
  const young = await c.open(device);
  const messages = c.inbox('C2D message');
  young.on('message', (message) => messages.put(`${message.getData()}`));
  if (c.isMqtt) await cuts.take();
  await young.sendEvent(new Message('from the new one'));
  equal((await c.events(device).take()).text, 'from the new one');
  await c.hub.sendC2d(device.deviceId, 'to the new one');
  equal(await messages.take(), 'to the new one');
});

define('takeover/not-without-proof', LINKS, async (c) => {
  const device = await c.device();
  const good = await c.open(device, { once: true });
  await refused(() => c.tryToSend(c.unregistered({ deviceId: device.deviceId })), 'UnauthorizedError');
  await good.sendEvent(new Message('still here'));
  equal((await c.events(device).take()).text, 'still here');
});

define('token/renewed-by-the-client', DEVICE, async (c) => {
  const device = await c.device();
  const options = { tokenRenewal: { tokenValidTimeInSeconds: 4, tokenRenewalMarginInSeconds: 3 } };
  const client = await c.open(device, { options });
  // Longer than a token and the allowance for clocks that differ: what is sent at the end has a later token.
  for (let second = 0; second < 11; second += 1) {
    await client.sendEvent(new Message(`${second}`));
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
  equal((await c.events(device).takeMany(11)).map((event) => event.text), [...'0123456789', '10']);
}, { isSlow: true });

define('token/replaced-by-the-application', DEVICE, async (c) => {
  const device = await c.device();
  const client = await c.open(device, { sasToken: c.token(device, 3) });
  await new Promise((resolve, reject) => {
    client.updateSharedAccessSignature(c.token(device, 3600), (error) => (error ? reject(error) : resolve()));
  });
  await new Promise((resolve) => setTimeout(resolve, 9000));
  await client.sendEvent(new Message('still here'));
  equal((await c.events(device).take()).text, 'still here');
}, { isSlow: true });

define('token/cut-at-its-end', MQTTS, async (c) => {
  const device = await c.device();
  const client = await c.client(device, { once: true, sasToken: c.token(device, 3) });
  const cuts = c.cuts(client);
  await client.open();
  await client.sendEvent(new Message('in time'));
  await cuts.take();
  await refused(() => c.tryToSend(device, { sasToken: c.token(device, -60) }), 'UnauthorizedError');
}, { isSlow: true });

define('token/cut-at-its-end', AMQPS, async (c) => {
  const device = await c.device();
  const client = await c.open(device, { once: true, sasToken: c.token(device, 3) });
  let sent = 0;
  const error = await refused(async () => {
    for (;;) {
      await client.sendEvent(new Message(`${sent}`));
      sent += 1;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  });
  check(sent > 0 && /Unauthorized|NotConnected/.test(error.name), `${error} after ${sent}`);
  await refused(() => c.tryToSend(device, { sasToken: c.token(device, -60) }), 'UnauthorizedError');
  equal((await c.events(device).takeMany(sent)).length, sent);
  c.events(device).requireEmpty();
}, { isSlow: true });

define('token/refused-after-its-end', [HTTP], async (c) => {
  const device = await c.device();
  await c.tryToSend(device, { sasToken: c.token(device, 60) });
  await refused(() => c.tryToSend(device, { sasToken: c.token(device, -60) }), 'UnauthorizedError');
});

const CHANGES = {
  disabled: (c, { deviceId, key }) => c.registry.update({
    deviceId,
    status: 'disabled',
    authentication: { symmetricKey: { primaryKey: key, secondaryKey: key } },
  }),
  deleted: (c, { deviceId }) => c.registry.delete(deviceId),
  'key-rolled': (c, { deviceId }) => c.registry.update({ deviceId, status: 'enabled' }),
};

for (const [change, apply] of Object.entries(CHANGES)) {
  define(`cut/${change}`, LINKS, async (c) => {
    const device = await c.device();
    const client = await c.client(device, { once: true });
    const cuts = c.cuts(client);
    await client.open();
    await client.sendEvent(new Message('before'));
    await apply(c, device);
    // Whether the client has noticed or not: this must not be accepted.
    await refused(() => client.sendEvent(new Message('too late')));
    // Over AMQP its links are cut, which the SDK keeps to itself.
    if (c.isMqtt) await cuts.take();
    await refused(() => c.tryToSend(device), change === 'disabled' ? refusalOfTheDisabled(c) : 'UnauthorizedError');
    equal((await c.events(device).take()).text, 'before');
    c.events(device).requireEmpty();
  });

  define(`cut/${change}`, [HTTP], async (c) => {
    const device = await c.device();
    const client = await c.tryToSend(device);
    await apply(c, device);
    await refused(() => client.sendEvent(new Message('too late')));
    equal((await c.events(device).take()).text, 'let me in');
    c.events(device).requireEmpty();
  });
}
