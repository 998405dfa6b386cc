import { runWorker, WORKER_QUEUES, type WorkerQueue } from '../../worker.ts';
import type { CommandContext } from '../program.ts';

/** `toolsample worker`: serves task queues until SIGINT, SIGTERM or the end of the process that started it. */
export async function serve(
  { terminal, home, metrics }: CommandContext,
  queue: WorkerQueue | 'all',
): Promise<void> {
  const queues = queue === 'all' ? WORKER_QUEUES : [queue];
  await runWorker({
    home,
    queues,
    metrics,
    onReady: (taskQueue) => {
      const served = queues.join(' and ');
      terminal.note(`serving ${served} of task queue ${taskQueue}; Ctrl-C ends it cleanly`);
    },
  });
}
