import { ToolsampleError } from '../../contracts/errors.ts';
import { shellWord } from '../../contracts/shell-word.ts';
import { runsUnderWay } from '../../client/run-reader.ts';
import { stopServices } from '../../services/services.ts';
import { ownInvocation, suggestion } from '../invocation.ts';
import type { CommandContext } from '../program.ts';

/**
 * `toolsample down`: stops the services that this data folder started; their data stays.
 *
 * @throws ToolsampleError `config` while a worker works on a run, unless it is forced
 */
export async function down(
  { terminal, home, json }: CommandContext,
  { force }: { readonly force: boolean },
): Promise<void> {
  const [run] = force ? [] : await runsUnderWay(home);
  if (run !== undefined) {
    const again = suggestion(ownInvocation(), home, 'down --force');
    throw new ToolsampleError('config', `run ${run} is under way`, {
      hint: `stop it with Ctrl-C first, or use \`${again}\`: what it has saved stays, \`resume ${shellWord(run)}\` goes on from there`,
    });
  }
  const stopped = await stopServices(home);
  if (json) {
    terminal.print(JSON.stringify({ home, stopped }, null, 2));
    return;
  }
  const names = [
    ...(stopped.postgres ? ['Postgres'] : []),
    ...(stopped.temporal ? ['Temporal'] : []),
  ];
  terminal.print(
    names.length === 0
      ? `nothing of ${home} was running`
      : `stopped ${names.join(' and ')}; the data stays in ${home}`,
  );
}
