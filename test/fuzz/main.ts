/**
 * `npm run fuzz -- --cases N --seed S [FILE …]`: the tests of this folder with as many cases of each property as are asked for.
 */
import { spawn } from 'node:child_process';
import { parseArgs } from 'node:util';

const { values, positionals } = parseArgs({
  options: {
    cases: { type: 'string', default: '100000' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000_000) },
  },
  allowPositionals: true,
});
for (const [name, text] of Object.entries(values)) {
  if (/^\d{1,9}$/.test(text)) continue;
  process.stderr.write(`--${name}: "${text}" is not a whole number\n`);
  process.exit(2);
}
process.stdout.write(`cases ${values.cases}, seed ${values.seed}\n`);

const files = positionals.length > 0 ? positionals : ['test/fuzz'];
const child = spawn('npx', ['vitest', 'run', ...files], {
  stdio: 'inherit',
  env: {
    ...process.env,
    TOOLSAMPLE_FUZZ_CASES: values.cases,
    TOOLSAMPLE_FUZZ_SEED: values.seed,
  },
});
child.once('exit', (code) => {
  process.exitCode = code ?? 1;
});
