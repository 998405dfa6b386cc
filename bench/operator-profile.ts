import { createReadStream } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { InferenceSession } from 'onnxruntime-node';

/** One run of an operator. */
export interface OperatorEvent {
  readonly operator: string;
  readonly microseconds: number;
}

/** Operators that contain others, whose time would count twice. */
const CONTAINERS = new Set(['If', 'Loop', 'Scan']);
/** Kinds that are named; the rest is summed up. */
const NAMED = 8;

/** What is profiled. Sessions are opened by its first repetition, at the earliest. */
interface Profiled {
  readonly compute: () => Promise<unknown>;
  readonly close: () => Promise<void>;
}

/**
 * Times the operators of all graphs that a repetition runs in this thread: of the second, the first warms up. Sessions are made by the policy's own code, so ONNX
 * Runtime's profiler is switched on where they are created, for as long as this takes.
 * @returns shares of the repetition's time, the largest first
 */
export async function profileOperators(open: () => Promise<Profiled>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'toolsample-profile-'));
  const sessions: InferenceSession[] = [];
  const create = InferenceSession.create.bind(InferenceSession);
  const profiling = async (
    model: Uint8Array,
    options?: InferenceSession.SessionOptions,
  ): Promise<InferenceSession> => {
    const session = await create(model, {
      ...options,
      enableProfiling: true,
      profileFilePrefix: join(folder, 'session'),
    });
    sessions.push(session);
    return session;
  };
  try {
    InferenceSession.create = profiling as typeof InferenceSession.create;
    const milliseconds = await timeSecond(await open(), () => {
      for (const session of sessions) endProfiling(session);
    });
    let events: readonly OperatorEvent[] = [];
    for (const name of await readdir(folder)) {
      // A long generation has more of them than a call may have arguments.
      events = events.concat(secondRun(await readEvents(join(folder, name))));
    }
    return operatorLine(events, milliseconds);
  } finally {
    InferenceSession.create = create;
    await rm(folder, { recursive: true, force: true });
  }
}

/** @param finish called before sessions are released */
async function timeSecond({ compute, close }: Profiled, finish: () => void): Promise<number> {
  try {
    await compute();
    const started = performance.now();
    await compute();
    return performance.now() - started;
  } finally {
    finish();
    await close();
  }
}

function endProfiling(session: InferenceSession): void {
  try {
    session.endProfiling();
  } catch {
    // Released already.
  }
}

async function readEvents(path: string): Promise<OperatorEvent[]> {
  const events: OperatorEvent[] = [];
  for await (const line of createInterface({ input: createReadStream(path) })) {
    const event = parseEvent(line);
    if (event !== null) events.push(event);
  }
  return events;
}

/** Both repetitions run the same operators. */
function secondRun(events: readonly OperatorEvent[]): OperatorEvent[] {
  return events.slice(Math.floor(events.length / 2));
}

/** Reads a line of ONNX Runtime's profile, which has one event each; null: not the run of an operator's kernel. */
export function parseEvent(line: string): OperatorEvent | null {
  if (!line.includes('_kernel_time')) return null;
  const duration = /"dur"\s*:\s*(\d+)/.exec(line)?.[1];
  const operator = /"op_name"\s*:\s*"([^"]+)"/.exec(line)?.[1];
  if (duration === undefined || operator === undefined || CONTAINERS.has(operator)) return null;
  return { operator, microseconds: Number(duration) };
}

/** `operators: MatMul 61%, …, outside of operators 4%`, of the milliseconds that all took. */
export function operatorLine(events: readonly OperatorEvent[], milliseconds: number): string {
  const times = new Map<string, number>();
  for (const { operator, microseconds } of events) {
    times.set(operator, (times.get(operator) ?? 0) + microseconds / 1000);
  }
  const sorted = [...times].sort(([, a], [, b]) => b - a);
  const rest = sorted.slice(NAMED);
  const parts: (readonly [string, number])[] = [
    ...sorted.slice(0, NAMED),
    ...(rest.length > 0 ? [[`${rest.length} other kinds`, sum(rest)] as const] : []),
    ['outside of operators', Math.max(0, milliseconds - sum(sorted))],
  ];
  const shares = parts.map(
    ([name, time]) => `${name} ${((100 * time) / milliseconds).toFixed(0)}%`,
  );
  return `operators: ${shares.join(', ')}`;
}

function sum(times: readonly (readonly [string, number])[]): number {
  return times.reduce((total, [, time]) => total + time, 0);
}
