#!/usr/bin/env node
// Everything is resolved from this file's real place, so that any working directory and npm's symbolic links will do.
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
if (major < 20 || (major === 20 && minor < 10)) {
  console.error(
    `toolsample needs Node 20.10 or newer; this is ${process.version}. See https://nodejs.org`,
  );
  process.exit(1);
}

const { importSource } = await import('./sources.js');
const { main } = await importSource('cli/main.ts');
process.exitCode = await main(process.argv.slice(2));
// After a failure, clients may still be trying to reach a server that is gone: nothing they could say is of use.
if (process.exitCode !== 0) process.exit();
