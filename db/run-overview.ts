import { sql } from 'drizzle-orm';
import { SPARK_BINS, type RunOverview } from '../contracts/dashboard.ts';
import { PACE_STEPS, timeLeft } from '../contracts/pace.ts';
import type { PendingRequest } from '../contracts/requests.ts';
import type { RunState } from '../contracts/run-status.ts';
import type { Database } from './connection.ts';
import { WORKER_IS_THERE } from './presence.ts';

/** As Postgres answers it; a type, because the driver asks for an index signature. */
type OverviewRow = {
  run: string;
  state: RunState;
  without_worker: boolean;
  reason: string | null;
  requested: PendingRequest | null;
  policy: string;
  data: string;
  sampler: string;
  curriculum: string;
  seed: number;
  step: number;
  total_steps: number;
  tokens: number;
  started: number;
  finished: number | null;
  walls: readonly number[] | null;
  bins: readonly number[] | null;
  means: readonly number[] | null;
  split: string | null;
  n: number | null;
  first_match: number | null;
  last_match: number | null;
  last_low: number | null;
  last_high: number | null;
};

/** The runs in brief, newest first; only those that are named, or all. One query, however many runs there are. */
export async function runOverviews(db: Database, only?: readonly string[]): Promise<RunOverview[]> {
  const wanted = only === undefined ? sql`true` : sql`r.run = any(${sql.param(only)}::text[])`;
  const { rows } = await db.execute<OverviewRow>(sql`
    select r.run, r.state, r.state = 'running' and not ${WORKER_IS_THERE} as without_worker, r.reason, r.requested, r.policy, r.config->>'data' as data, r.sampler,
      r.curriculum, (r.config->>'seed')::float8 as seed, planned.steps as total_steps,
      (extract(epoch from r.started_at) * 1000)::float8 as started,
      (extract(epoch from r.finished_at) * 1000)::float8 as finished,
      coalesce(made.step, 0) as step, coalesce(made.tokens, 0) as tokens, pace.walls,
      spark.bins, spark.means,
      held.split, held.n, held.first_match, held.last_match, held.last_low, held.last_high
    from runs r
    left join lateral (
      select max(step) as step, sum(generated_tokens)::float8 as tokens
      from steps where run = r.run and state in ('committed', 'skipped')
    ) made on true
    left join lateral (
      select coalesce(
        (select value::text from setting_changes
          where run = r.run and key = 'maxGeneratedTokens' order by ordinal desc limit 1),
        r.config->>'maxGeneratedTokens', '-1')::float8 as tokens
    ) budget on true
    left join lateral (
      -- As expectedSteps has it.
      select case when budget.tokens < 0 or coalesce(made.tokens, 0) = 0 then r.total_steps
        else least(r.total_steps, greatest(made.step, ceil(made.step * budget.tokens / made.tokens)))
        end::integer as steps
    ) planned on true
    left join lateral (
      select array_agg(wall order by step) as walls from (
        select step, extract(epoch from coalesce(committed_at, started_at) - started_at)::float8 as wall
        from steps where run = r.run and state in ('committed', 'skipped')
        order by step desc limit ${PACE_STEPS}
      ) recent
    ) pace on true
    left join lateral (
      select array_agg(bin order by bin) as bins, array_agg(mean order by bin) as means from (
        select ((step - 1)::bigint * ${SPARK_BINS} / greatest(planned.steps, ${SPARK_BINS}))::integer as bin,
          avg(reward) as mean
        from steps where run = r.run and state in ('committed', 'skipped') group by 1
      ) binned
    ) spark on true
    left join lateral (
      select s.split, l.n, f.exact_match as first_match, l.exact_match as last_match,
        l.exact_match_low as last_low, l.exact_match_high as last_high
      from run_splits s
      join lateral (
        select exact_match from evaluations e
        where e.run = s.run and e.split = s.split order by step limit 1
      ) f on true
      join lateral (
        select n, exact_match, exact_match_low, exact_match_high from evaluations e
        where e.run = s.run and e.split = s.split order by step desc limit 1
      ) l on true
      where s.run = r.run and s.ordinal = 0
    ) held on true
    where ${wanted}
    order by r.started_at desc, r.run`);
  return rows.map(toOverview);
}

function toOverview(row: OverviewRow): RunOverview {
  const { step, total_steps: totalSteps } = row;
  const walls = (row.walls ?? []).map((wallSeconds) => ({ step, wallSeconds }));
  const { without_worker: withoutWorker } = row;
  const under = (row.state === 'running' && !withoutWorker) || row.state === 'paused';
  const rewards: (number | null)[] = Array.from(
    { length: Math.min(totalSteps, SPARK_BINS) },
    () => null,
  );
  for (const [index, bin] of (row.bins ?? []).entries()) rewards[bin] = row.means?.[index] ?? null;
  const { split, n, first_match: first, last_match: last } = row;
  const { last_low: lastLow, last_high: lastHigh } = row;
  return {
    run: row.run,
    state: row.state,
    withoutWorker,
    reason: row.reason,
    requested: row.requested,
    policy: row.policy,
    data: row.data,
    sampler: row.sampler,
    curriculum: row.curriculum,
    seed: row.seed,
    step,
    totalSteps,
    generatedTokens: row.tokens,
    startedAt: new Date(row.started).toISOString(),
    finishedAt: row.finished === null ? null : new Date(row.finished).toISOString(),
    secondsLeft: under ? timeLeft(walls, totalSteps) : null,
    rewards,
    heldOut:
      split === null ||
      n === null ||
      first === null ||
      last === null ||
      lastLow === null ||
      lastHigh === null
        ? null
        : { split, n, first, last, lastLow, lastHigh },
  };
}
