import { execFileSync } from 'node:child_process';
import { dirname, join } from 'node:path';

/** The folder of the questions that come with bfcl-eval, live ones too. */
export function packageData(python: string): string {
  const place = "import importlib.util as u; print(u.find_spec('bfcl_eval').origin)";
  const origin = execFileSync(python, ['-c', place], { encoding: 'utf8' }).trim();
  return join(dirname(origin), 'data');
}
