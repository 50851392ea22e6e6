'use strict';
// Runs the cases of `cases/` against a running hub; `conformance/suites.toml` says what the environment holds.

const fs = require('fs');
const path = require('path');

const { Runner } = require('./framework');
const { GROUPS, Hub } = require('./hub');

const EVENT_SOURCES = ['TwinChangeEvents', 'DeviceLifecycleEvents', 'DeviceConnectionStateEvents'];

/** All sources go to the built-in endpoint, where the cases look for them. */
function prepare(settings) {
  settings.routes = EVENT_SOURCES.map((source) => ({ name: source, source }));
  settings.consumerGroups = GROUPS;
}

async function main() {
  const directory = path.join(__dirname, 'cases');
  for (const file of fs.readdirSync(directory).sort()) require(path.join(directory, file));
  const hub = new Hub();
  await hub.changeSettings(prepare);
  hub.followEvents();
  const runner = new Runner(hub);
  await runner.runAll((process.env.IRONHUB_CASES || '').split('\n').filter(Boolean));
  return runner.failed > 0 ? 1 : 0;
}

// What an SDK throws outside of any call is no case's business; a case that waits for it fails by itself.
process.on('uncaughtException', (error) => console.error('outside of any case:', error));
process.on('unhandledRejection', (error) => console.error('outside of any case:', error));

main().then(
  (status) => process.exit(status),
  (error) => {
    console.error(error);
    process.exit(2);
  },
);
