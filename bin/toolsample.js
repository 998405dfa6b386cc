#!/usr/bin/env node
// The product runs from its TypeScript sources: tsx translates them as they are imported. Everything is resolved from
// this file's real place, so that any working directory and npm's symbolic links will do.
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
if (major < 20 || (major === 20 && minor < 10)) {
  console.error(
    `toolsample needs Node 20.10 or newer; this is ${process.version}. See https://nodejs.org`,
  );
  process.exit(1);
}

const { register } = await import('tsx/esm/api');
// The user's own tsconfig, where there is one, is none of our business.
register({ tsconfig: false });
const { main } = await import('../cli/main.ts');
process.exitCode = await main(process.argv.slice(2));
// After a failure, clients may still be trying to reach a server that is gone: nothing they could say is of use.
if (process.exitCode !== 0) process.exit();
