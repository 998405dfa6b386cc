/**
 * `npm run topology`: the workers of compose.yaml as processes, with their commands and variables, each with a data folder of its
 * own, on a Temporal dev server, an embedded Postgres and an S3-compatible server. Trains for two steps, kills a gpu worker in a
 * rollout, and tells who did what.
 */
import { join } from 'node:path';
import { epochWorkflowId } from '../../contracts/temporal.ts';
import { completedActivities, inTheMiddleOf } from '../chaos/activity-history.ts';
import { createFaultHome } from '../chaos/fault-home.ts';
import { SHORT_CONFIG } from '../chaos/run-configs.ts';
import { CREDENTIALS, startObjectServer } from '../unit/support/object-store.ts';
import { composeWorkers } from './compose-workers.ts';

const RUN = 'topology';

const say = (line: string): void => void process.stdout.write(`${line}\n`);

/** Activities of the run's workflows by the worker that completed them. */
async function shares(address: string): Promise<Map<string, Map<string, number>>> {
  const done = new Map<string, Map<string, number>>();
  for (const id of [RUN, epochWorkflowId(RUN, 1)]) {
    for (const { worker, name } of await completedActivities(address, id)) {
      const own = done.get(worker) ?? new Map<string, number>();
      done.set(worker, own.set(name, (own.get(name) ?? 0) + 1));
    }
  }
  return done;
}

const home = await createFaultHome('topology', { ...SHORT_CONFIG, eval_size: 136 });
const objects = await startObjectServer();
try {
  const { temporal, databaseUrl } = home.toolsample.services;
  // What names of containers are in the file.
  const here = {
    ...CREDENTIALS,
    DATABASE_URL: databaseUrl,
    TEMPORAL_ADDRESS: temporal.address,
    TOOLSAMPLE_TASK_QUEUE: temporal.taskQueue,
    TOOLSAMPLE_ARTIFACTS: objects.location('artifacts'),
  };
  const workers = [];
  for (const { name, replicas, command, environment } of await composeWorkers()) {
    for (let i = 1; i <= replicas; i++) {
      const [, ...flags] = command;
      const folder = join(home.path, `${name}-${i}`);
      const worker = home.startWorker({ ...environment, ...here }, '--home', folder, ...flags);
      workers.push({ name: `${name}-${i}`, worker });
      say(`${name}-${i}: process ${worker.pid}, toolsample ${command.join(' ')}`);
    }
  }
  const epoch = await home.start(RUN);
  const victim = workers.at(-1);
  await inTheMiddleOf(home.toolsample, epoch, 'rollout', victim?.worker.pid);
  await victim?.worker.kill();
  say(`${victim?.name} killed in the middle of a rollout`);
  const { state, step } = await home.end(RUN);
  say(`run ${state} after step ${step}`);
  const done = await shares(temporal.address);
  for (const { name, worker } of workers) {
    const own = [...done].find(([identity]) => identity.startsWith(`${worker.pid}@`))?.[1];
    const counts = [...(own ?? [])].map(([activity, count]) => `${activity} ${count}`);
    say(`${name}: ${counts.join(', ') || 'nothing'}`);
  }
  if (state !== 'completed') process.exitCode = 1;
} finally {
  await home.remove();
  await objects.stop();
}
