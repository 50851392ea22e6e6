'use strict';
// Certificates that the cases make for their devices: ECDSA P-256, as much of X.509 (RFC 5280) as a leaf and its
// authority need. Node can read certificates but not make them.

const crypto = require('crypto');

const HOUR_MS = 3_600_000;

const SEQUENCE = 0x30;
const SET = 0x31;

function der(tag, ...parts) {
  const content = Buffer.concat(parts.map((part) => Buffer.from(part)));
  const short = content.length < 0x80;
  const size = short ? [content.length] : [0x82, content.length >> 8, content.length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...size]), content]);
}

// ecdsa-with-SHA256, commonName, basicConstraints.
const ECDSA_SHA256 = der(SEQUENCE, der(0x06, [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02]));
const COMMON_NAME = der(0x06, [0x55, 0x04, 0x03]);
const BASIC_CONSTRAINTS = der(0x06, [0x55, 0x1d, 0x13]);

const distinguishedName = (text) => der(SEQUENCE, der(SET, der(SEQUENCE, COMMON_NAME, der(0x0c, Buffer.from(text)))));

const utcTime = (ms) => der(0x17, new Date(ms).toISOString().replace(/[-:T]|\.\d+/g, '').slice(2));

const constraints = (isAuthority) => {
  const value = der(SEQUENCE, isAuthority ? der(0x01, [0xff]) : []);
  return der(0xa3, der(SEQUENCE, der(SEQUENCE, BASIC_CONSTRAINTS, der(0x01, [0xff]), der(0x04, value))));
};

const pem = (bytes) =>
  `-----BEGIN CERTIFICATE-----\n${bytes.toString('base64').match(/.{1,64}/g).join('\n')}\n-----END CERTIFICATE-----\n`;

/** A certificate with its key; self-signed unless it has an issuer. */
class Certificate {
  constructor(name, { issuer = null, isAuthority = false } = {}) {
    const pair = crypto.generateKeyPairSync('ec', { namedCurve: 'P-256' });
    this.name = name;
    this.privateKey = pair.privateKey;
    this.key = pair.privateKey.export({ type: 'pkcs8', format: 'pem' });
    const body = der(
      SEQUENCE,
      der(0xa0, der(0x02, [2])),
      der(0x02, [0x01], crypto.randomBytes(8)),
      ECDSA_SHA256,
      distinguishedName(issuer ? issuer.name : name),
      der(SEQUENCE, utcTime(Date.now() - HOUR_MS), utcTime(Date.now() + HOUR_MS)),
      distinguishedName(name),
      pair.publicKey.export({ type: 'spki', format: 'der' }),
      constraints(isAuthority),
    );
    const signature = crypto.sign('sha256', body, (issuer || this).privateKey);
    this.bytes = der(SEQUENCE, body, ECDSA_SHA256, der(0x03, [0], signature));
    this.pem = pem(this.bytes);
  }

  thumbprint(algorithm = 'sha256') {
    return crypto.createHash(algorithm).update(this.bytes).digest('hex').toUpperCase();
  }
}

module.exports = { Certificate };
