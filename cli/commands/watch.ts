import type { ToolsampleClient } from '../../client.ts';
import type { RunStatus } from '../../contracts/run-status.ts';
import { shellWord } from '../../contracts/shell-word.ts';
import type { ExitCode } from '../failure.ts';
import { followRun } from '../follow-run.ts';
import { onInterrupt } from '../interrupt.ts';
import { ownInvocation, suggestion } from '../invocation.ts';
import { logView, panelView, type LiveView } from '../live-view.ts';
import { meantRun } from '../meant-run.ts';
import type { CommandContext } from '../program.ts';
import { dataNotice } from '../render/data-lines.ts';
import { reportEnd, workflowAddress } from '../serve-run.ts';

/** `toolsample watch RUN`: shows a run that another process trains, as `train` does, until it ends. Asks nothing of it. */
export async function watch(context: CommandContext, reference: string): Promise<ExitCode> {
  const { connectToolsample } = await import('../../client.ts');
  const { terminal, home } = context;
  const client = await connectToolsample({ home, log: (message) => terminal.note(message) });
  const left = new AbortController();
  const release = onInterrupt({
    stop: () => left.abort(),
    kill: () => process.exit(0),
  });
  try {
    return await follow(context, client, reference, left.signal);
  } catch (error) {
    if (!left.signal.aborted) throw error;
    terminal.note('not watched any more; the run goes on');
    return 0;
  } finally {
    release();
    await client.close();
  }
}

async function follow(
  context: CommandContext,
  client: ToolsampleClient,
  reference: string,
  signal: AbortSignal,
): Promise<ExitCode> {
  const { terminal, home, json } = context;
  const { run, before } = await meantRun(client, reference);
  if (!json)
    terminal.note(before === null ? `run ${run}` : `run ${run}, after step ${before.step}`);
  const command = (text: string): string => suggestion(ownInvocation(), home, text);
  const { status } = await followRun({
    client,
    run,
    before,
    view: json ? SILENT : viewOn(context, before),
    phase: before === null ? 'waiting for a worker' : null,
    workflowUrl: workflowAddress(client, run),
    prepared: (prepared) => dataNotice(prepared, command),
    hint: 'Ctrl-C ends watching; the run goes on',
    notice: () => null,
    signal,
  });
  if (json) terminal.print(JSON.stringify(await client.status(run), null, 2));
  const note = json ? (): void => undefined : terminal.note;
  if (status.state !== 'completed')
    return reportEnd(status, false, command(`resume ${shellWord(run)}`), note);
  note(`completed; ${command(`status ${shellWord(run)}`)} shows the result`);
  return 0;
}

function viewOn({ terminal }: CommandContext, before: RunStatus | null): LiveView {
  return terminal.live
    ? panelView(terminal, (text) => process.stdout.write(text))
    : logView(terminal, before);
}

const SILENT: LiveView = { update: () => undefined, say: () => undefined, close: () => undefined };
