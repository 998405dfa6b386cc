import type { ToolsampleClient } from '../client.ts';
import { ToolsampleError } from '../contracts/errors.ts';
import type { RunStatus } from '../contracts/run-status.ts';
import { shellWord } from '../contracts/shell-word.ts';
import type { EndedRun } from '../client/wait-for-run.ts';
import type { ExitCode } from './failure.ts';
import { followRun } from './follow-run.ts';
import { onInterrupt } from './interrupt.ts';
import { ownInvocation, suggestion } from './invocation.ts';
import { logView, panelView } from './live-view.ts';
import { printOutcome } from './print-outcome.ts';
import type { CommandContext } from './program.ts';
import { dataNotice } from './render/data-lines.ts';
import { printable } from './render/text.ts';
import { serveBeside } from './run-dashboard.ts';
import { DRAIN_MILLISECONDS, startWorkerProcess } from './worker-process.ts';

export interface ServeRunOptions {
  readonly context: CommandContext;
  readonly client: ToolsampleClient;
  readonly run: string;
  /** How far the run was, when it goes on; null for a new one. */
  readonly before: RunStatus | null;
  /** How long the services took to start. */
  readonly serviceSeconds: number;
}

/** A step is waited for this long before it is cut off … */
const STOP_MILLISECONDS = 8_000;
/** … and the cut-off work this long to end, before the worker is ended with it. */
const CANCEL_MILLISECONDS = 8_000;

/** Serves a run with a worker of our own and shows it until it ends, or until the user stops it. */
export async function serveRun(options: ServeRunOptions): Promise<ExitCode> {
  const { context, client, run } = options;
  const { terminal, home, metrics } = context;
  const begin = Date.now();
  const view = terminal.live
    ? panelView(terminal, (text) => process.stdout.write(text))
    : logView(terminal, options.before);
  const workflowUrl = workflowAddress(client, run);
  const command = (text: string): string => suggestion(ownInvocation(), home, text);
  const goOn = command(`resume ${shellWord(run)}`);
  const from = options.before === null ? '' : `, going on after step ${options.before.step}`;
  terminal.note(`run ${run}${from}`);
  if (workflowUrl !== null) terminal.note(`Temporal UI  ${workflowUrl}`);

  let notice: string | null = null;
  const say = (message: string): void => {
    notice = message;
    view.say(message);
  };
  const givenUp = new AbortController();
  const worker = startWorkerProcess({
    home,
    metrics,
    logs: client.services.folder.logs,
    onRestart: say,
  });
  void worker.lost.then(({ reason }) => givenUp.abort(reason));
  let stopping = false;
  const release = onInterrupt({
    stop: () => {
      stopping = true;
      say('stopping after the piece of work under way; Ctrl-C again ends at once');
      void stopRun(client, run, givenUp);
    },
    kill: () => {
      worker.kill();
      terminal.note(`ended at once; go on with: ${goOn}`);
      process.exit(1);
    },
  });
  const dashboard = await serveBeside(client, run);
  if (dashboard !== null) terminal.note(`Dashboard    ${dashboard.address}`);
  try {
    const followed = await followRun({
      client,
      run,
      // It goes on now, however it stood.
      before:
        options.before === null
          ? null
          : { ...options.before, state: 'running', withoutWorker: false },
      view,
      phase: 'starting a worker',
      workflowUrl,
      prepared: (status) => dataNotice(status, command),
      hint: 'Ctrl-C stops cleanly',
      notice: () => notice,
      signal: givenUp.signal,
    });
    if (followed.status.state === 'completed') {
      const totalSeconds = (Date.now() - begin) / 1000;
      await printOutcome({ ...options, followed, totalSeconds });
      return 0;
    }
    return reportEnd(followed.status, stopping, goOn, terminal.note);
  } catch (error) {
    if (stopping && error instanceof ToolsampleError && error.code === 'not-found') {
      terminal.note('stopped before the run began; the same command starts it');
      return 0;
    }
    if (!givenUp.signal.aborted) throw error;
    const reason = String(givenUp.signal.reason);
    terminal.note(stopping ? 'stopped' : reason);
    terminal.note(`go on with: ${goOn}`);
    return stopping ? 0 : (await worker.lost).exitCode;
  } finally {
    await worker.stop(DRAIN_MILLISECONDS);
    await dashboard?.close();
    release();
  }
}

/** Asks politely, then firmly; then stops waiting. */
async function stopRun(
  client: ToolsampleClient,
  run: string,
  givenUp: AbortController,
): Promise<void> {
  // A run that ended by itself meanwhile, or a server that is away and does not answer, changes nothing about our leaving.
  void client.interrupt(run).catch(() => undefined);
  await quietly(STOP_MILLISECONDS);
  void client.cutOff(run).catch(() => undefined);
  await quietly(CANCEL_MILLISECONDS);
  givenUp.abort('stopped');
}

/** Waits without keeping the process alive: when the run has ended, there is nothing left to wait for. */
async function quietly(milliseconds: number): Promise<void> {
  await new Promise<void>((resolve) => {
    setTimeout(resolve, milliseconds).unref();
  });
}

/** Says how a run ended that did not complete. What the user has to change is exit code 2, whenever it was found. */
export function reportEnd(
  status: EndedRun,
  stopping: boolean,
  goOn: string,
  note: (line: string) => void,
): ExitCode {
  const where = status.totalSteps === 0 ? '' : ` after step ${status.step} of ${status.totalSteps}`;
  const why = status.reason === null || stopping ? '' : `: ${printable(status.reason)}`;
  note(`${status.state}${where}${why}`);
  note(`go on with: ${goOn}`);
  if (status.state === 'stopped' && stopping) return 0;
  return status.failure?.exitCode ?? 1;
}

/** Where Temporal's UI shows the run; null where no UI is known. */
export function workflowAddress(
  { services }: Pick<ToolsampleClient, 'services'>,
  run: string,
): string | null {
  const { uiUrl, namespace } = services.temporal;
  return uiUrl === null
    ? null
    : `${uiUrl.replace(/\/$/, '')}/namespaces/${encodeURIComponent(namespace)}/workflows/${encodeURIComponent(run)}`;
}
