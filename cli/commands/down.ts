import { ToolsampleError } from '../../contracts/errors.ts';
import type { ServedWork } from '../../contracts/served-work.ts';
import { shellWord } from '../../contracts/shell-word.ts';
import { workCutOffBy } from '../../client/run-reader.ts';
import { stopServices } from '../../services/services.ts';
import { ownInvocation, suggestion } from '../invocation.ts';
import type { CommandContext } from '../program.ts';

/**
 * `toolsample down`: stops the services that this data folder started; their data stays.
 *
 * @throws ToolsampleError `config` while a worker serves anything, be it a run that is paused, unless it is forced
 */
export async function down(
  { terminal, home, json }: CommandContext,
  { force }: { readonly force: boolean },
): Promise<void> {
  const work = force ? [] : await workCutOffBy(home);
  if (work.length > 0) {
    const again = suggestion(ownInvocation(), home, 'down --force');
    throw new ToolsampleError('config', underWay(work), {
      hint: `stop ${work.length === 1 ? 'it' : 'them'} with Ctrl-C first, or use \`${again}\`: what is saved stays, ${howToGoOn(work)} from there`,
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

/** More than that are counted. */
const NAMED = 3;

function underWay(work: readonly ServedWork[]): string {
  const named = work.slice(0, NAMED).map(({ kind, id }) => `${kind} ${id}`);
  const rest = work.length - named.length;
  const all = rest === 0 ? named : [...named, `${rest} more`];
  const last = all.at(-1) ?? '';
  return all.length === 1
    ? `${last} is under way`
    : `${all.slice(0, -1).join(', ')} and ${last} are under way`;
}

/** Whatever is under way besides runs is gone on with by the command that began it. */
function howToGoOn(work: readonly ServedWork[]): string {
  const run = work.find(({ kind }) => kind === 'run');
  if (run === undefined) return 'the same command goes on';
  const resumed = `\`resume ${shellWord(run.id)}\``;
  return work.every(({ kind }) => kind === 'run')
    ? `${resumed} goes on`
    : `the same command and ${resumed} go on`;
}
