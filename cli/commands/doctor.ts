import { diagnose } from '../../services/diagnostics/diagnose.ts';
import type { ExitCode } from '../failure.ts';
import type { CommandContext } from '../program.ts';
import { padEnd } from '../render/text.ts';

/** `toolsample doctor`: checks this machine; exit code 1 when something would keep a run from starting. */
export async function doctor({ terminal, home, json }: CommandContext): Promise<ExitCode> {
  const checks = await diagnose({ home });
  const ok = checks.every(({ status }) => status !== 'fail');
  if (json) {
    terminal.print(JSON.stringify({ ok, home, checks }, null, 2));
    return ok ? 0 : 1;
  }
  const { green, yellow, red } = terminal.paint;
  const marks = { ok: green('ok  '), warn: yellow('warn'), fail: red('FAIL') };
  const width = Math.max(...checks.map(({ name }) => name.length));
  for (const { name, status, found, advice } of checks) {
    terminal.print(`${marks[status]}  ${padEnd(name, width)}  ${found}`);
    if (advice !== null) terminal.print(`      ${padEnd('', width)}  → ${advice}`);
  }
  return ok ? 0 : 1;
}
