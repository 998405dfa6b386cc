import type { EngineDevice, PolicyEngine } from '../contracts/policy.ts';
import type { Database } from '../db/connection.ts';
import { recordEvent, type NewEvent } from '../db/events.ts';

/** What the engine did for a run, and the graphs that it always ran for it. */
const GRAPHS = {
  'warm start': ['supervised', 'adamw'],
  rollouts: ['prefill.sampled', 'decode.sampled'],
  'gradient steps': ['grpo', 'adamw', 'reference'],
} as const;
type Work = keyof typeof GRAPHS;

/** What is recorded already by this process, by engine. */
const recorded = new WeakMap<PolicyEngine, Set<string>>();

/**
 * Records where a run's tensors are computed, once the engine has done such work: one event for the CPU or a service, on another device one for
 * each kind of work, with how many nodes of its graphs ran on the CPU all the same. What is recorded follows from the graphs alone,
 * whenever it is.
 */
export async function recordDevice(
  db: Database,
  run: string,
  work: Work,
  engine: PolicyEngine,
): Promise<void> {
  const known = recorded.get(engine) ?? new Set<string>();
  recorded.set(engine, known);
  if (known.has(`${run} ${work}`)) return;
  const event = deviceEvent(await engine.device(), work);
  // Null: the engine's thread is a new one already. The next such work tells.
  if (event === null) return;
  await recordEvent(db, run, event);
  known.add(`${run} ${work}`);
}

/** Null where no graph of this work has run in the engine's thread. */
export function deviceEvent(where: EngineDevice, work: Work): NewEvent | null {
  const kind = 'device';
  if (where.device === 'service') {
    const { device, url, baseModel } = where;
    const message = `training service at ${url}, model ${baseModel}`;
    return { event: 'device/service', kind, message, details: { device, url, baseModel } };
  }
  const { device, graphs } = where;
  if (device === 'cpu') {
    return { event: 'device/cpu', kind, message: 'policy engine on cpu', details: { device } };
  }
  const ran = GRAPHS[work].flatMap((name) => graphs.filter(({ graph }) => graph === name));
  if (ran.length === 0) return null;
  const counts = ran.map(({ graph, nodes, onCpu }) => `${graph} ${onCpu} of ${nodes}`).join(', ');
  return {
    event: `device/${device}/${work.replaceAll(' ', '-')}`,
    kind,
    message: `policy engine on ${device}, ${work}; graph nodes on the CPU: ${counts}`,
    details: { device, work, graphs: ran.map((placement) => ({ ...placement })) },
  };
}
