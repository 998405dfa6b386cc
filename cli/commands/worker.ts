import { runWorker, type WorkerQueue } from '../../worker.ts';
import type { CommandContext } from '../program.ts';

/** `toolsample worker`: serves task queues until SIGINT, SIGTERM or the end of the process that started it. */
export async function serve(
  { terminal, home }: CommandContext,
  queues: readonly WorkerQueue[],
  metrics: string | undefined,
): Promise<void> {
  await runWorker({
    home,
    queues,
    metrics,
    onReady: () => terminal.note(`serving ${queues.join(' and ')}; Ctrl-C ends it cleanly`),
  });
}
