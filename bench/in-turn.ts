import {
  comparedRows,
  missesBar,
  phaseShares,
  type PeerOutcome,
  type Repetition,
  type Round,
} from './compared-rows.ts';
import { repeat, type Patience } from './measure.ts';
import { profileOperators } from './operator-profile.ts';
import type { Roofline } from './roofline.ts';
import type { BenchRow } from './row.ts';

/** What a measurement needs to know of its surroundings. */
export interface Measurement {
  readonly roofline: Roofline;
  readonly patience: Patience;
  /** Told what is being measured. */
  readonly log: (message: string) => void;
}

/** What one repetition has computed. */
export interface Computed {
  readonly tokens: number;
  readonly flops: number;
  /** Where not all of the repetition counts. */
  readonly seconds?: number;
  /** Seconds of its parts, by name. */
  readonly phases?: { readonly [name: string]: number };
  /** Where the work was not quite what it should be. */
  readonly note?: string;
}

/** The product, ready for a piece of work. */
export interface Workload {
  readonly compute: () => Promise<Computed>;
  /** Not timed; opens sessions and touches memory. Default: a repetition. */
  readonly warmUp?: () => Promise<unknown>;
  readonly close: () => Promise<void>;
}

/** A peer that is warm, and measures one repetition whenever it is asked. */
export interface Peer {
  readonly measure: () => Promise<Repetition>;
  readonly close: () => Promise<void>;
}

/** A peer to be started. */
export interface PlannedPeer {
  readonly name: string;
  /** Least ratio wanted; null: none. */
  readonly bar: number | null;
  /** Rejects with the reason where it is not to be had. */
  readonly open: () => Promise<Peer>;
}

/** A piece of work for the product and its peers. */
export interface Task {
  readonly work: string;
  readonly model: string;
  /** `s`: seconds of one repetition. */
  readonly unit: 'tokens/s' | 's';
  readonly open: () => Promise<Workload>;
  readonly peers?: readonly PlannedPeer[];
  /** Least share of the roofline wanted. */
  readonly shareBar?: number;
  /** Whether graphs run in this thread, where operators can be timed. Default: yes. */
  readonly profiled?: boolean;
}

interface StartedPeer {
  readonly plan: PlannedPeer;
  peer: Peer | null;
  failure: string | null;
}

/**
 * Measures the product against the roofline and its peers, all in turn: other load on the machine slows all alike. Who begins
 * changes from round to round. Work that misses a bar is done once more with its operators timed.
 */
export async function measureInTurn(task: Task, measurement: Measurement): Promise<BenchRow[]> {
  const { patience, log } = measurement;
  log(`${task.model}: ${task.work}`);
  const workload = await task.open();
  const started: StartedPeer[] = [];
  let rounds: Round[];
  try {
    await (workload.warmUp ?? workload.compute)();
    for (const plan of task.peers ?? []) started.push(await start(plan, log));
    rounds = await measureRounds(workload, started, measurement);
  } finally {
    for (const { peer } of started) await peer?.close();
    await workload.close();
  }
  const { work, model, unit, shareBar = null } = task;
  const outcomes = started.map(({ plan: { name, bar }, failure }): PeerOutcome => ({
    name,
    bar,
    failure,
  }));
  const compared = { work, model, unit, shareBar, repeats: patience.repeats };
  const rows = comparedRows(compared, outcomes, rounds);
  if (!rows.some(missesBar)) return rows;
  const profile = [phaseShares(rounds), await operatorShares(task, log)];
  const line = profile.filter(Boolean).join('; ');
  return rows.map((row) => (missesBar(row) ? { ...row, profile: line } : row));
}

async function start(plan: PlannedPeer, log: (message: string) => void): Promise<StartedPeer> {
  try {
    log(`  against ${plan.name}`);
    return { plan, peer: await plan.open(), failure: null };
  } catch (error) {
    return { plan, peer: null, failure: reason(error) };
  }
}

async function measureRounds(
  workload: Workload,
  started: readonly StartedPeer[],
  { roofline, patience, log }: Measurement,
): Promise<Round[]> {
  const rounds: Round[] = [];
  const measureProduct = async (): Promise<Omit<Round, 'peers'>> => {
    const before = await roofline.measure();
    const begun = performance.now();
    const { tokens, flops, ...own } = await workload.compute();
    const seconds = own.seconds ?? (performance.now() - begun) / 1000;
    const after = await roofline.measure();
    const { phases = {}, note = '' } = own;
    const product = { seconds, tokens, flops, phases, note };
    return { product, roofline: Math.max(before, after) };
  };
  const measurePeers = async (): Promise<(Repetition | null)[]> => {
    const measured: (Repetition | null)[] = [];
    for (const each of started) measured.push(await measurePeer(each));
    return measured;
  };
  await repeat(patience, async (index) => {
    const early = index % 2 === 0 ? null : await measurePeers();
    const product = await measureProduct();
    const peers = early ?? (await measurePeers());
    rounds.push({ ...product, peers });
    if (started.length > 0) log(`  round ${index + 1}: ${secondsOf(product.product, peers)}`);
  });
  return rounds;
}

/** A peer that fails once is left out from then on. */
async function measurePeer(started: StartedPeer): Promise<Repetition | null> {
  if (started.peer === null) return null;
  try {
    return await started.peer.measure();
  } catch (error) {
    started.failure = reason(error);
    await started.peer.close();
    started.peer = null;
    return null;
  }
}

async function operatorShares(task: Task, log: (message: string) => void): Promise<string> {
  if (task.profiled === false) return '';
  log('  misses a bar: once more, with its operators timed');
  try {
    return await profileOperators(task.open);
  } catch (error) {
    return `operators not timed: ${reason(error)}`;
  }
}

function secondsOf(product: Repetition, peers: readonly (Repetition | null)[]): string {
  const others = peers.map((each) => (each === null ? '–' : `${each.seconds.toFixed(2)} s`));
  return `${product.seconds.toFixed(2)} s; ${others.join(', ')}`;
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
