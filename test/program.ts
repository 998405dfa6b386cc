import { fileURLToPath } from 'node:url';

/** What `npx toolsample` runs; tests start it with `process.execPath`. */
export const PROGRAM = fileURLToPath(new URL('../bin/toolsample.js', import.meta.url));
