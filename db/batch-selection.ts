import { sql } from 'drizzle-orm';
import type { Database } from './connection.ts';
import { currentImportance } from './staleness.ts';
import { groupsOfEpochBefore } from './steps.ts';

const INSERT_GROUPS = sql`insert into groups
  (run, step, rank, corpus, sample_id, state, drawn_category, drawn_importance)`;

/** Which prompts to pick for a step, as decided outside of the database. */
export interface Selection {
  readonly run: string;
  readonly step: number;
  readonly epoch: number;
  readonly corpus: string;
  readonly corpusSamples: number;
  readonly seed: number;
  /** Groups wanted, candidates for backfill included. */
  readonly groups: number;
}

/** The numbers of dynamic sampling (spec §3). */
export interface DynamicSelection extends Selection {
  /** Share ε of the uniform distribution. */
  readonly uniformShare: number;
  /** τ. */
  readonly temperature: number;
  /** Half-life of an importance, in steps; null: it keeps its value until the next visit (ablation). */
  readonly halfLifeSteps: number | null;
}

/**
 * Reserves the groups of a step by the seeded shuffle of its epoch: ascending md5(`seed:epoch:sample`), going on after
 * the groups that earlier steps of the epoch rolled out, and from the beginning again at the end of the corpus.
 * Runs in Postgres; nothing of the corpus is loaded. [ours]
 */
export async function reserveShuffled(db: Database, selection: Selection): Promise<void> {
  const { run, step, epoch, corpus, corpusSamples, seed } = selection;
  const limit = Math.min(selection.groups, corpusSamples);
  // Counted beforehand: before a table's first analysis Postgres may plan to count once a sample.
  const offset = (await groupsOfEpochBefore(db, { run, epoch, step })) % corpusSamples;
  await db.execute(sql`
    with shuffled as (
      select sample_id, row_number() over (
        order by md5(${`${seed}:${epoch}:`} || sample_id) collate "C", sample_id collate "C"
      ) - 1 as place
      from samples where corpus = ${corpus}
    ),
    picked as (
      select sample_id,
        (place + ${corpusSamples - offset}::integer) % ${corpusSamples}::integer as rank
      from shuffled
    )
    ${INSERT_GROUPS}
    select ${run}::text, ${step}::integer, picked.rank, ${corpus}::text, picked.sample_id, 'reserved',
      coalesce(known.category, 'new'), coalesce(known.importance, 1)
    from picked
    left join sample_statistics known on known.run = ${run} and known.sample_id = picked.sample_id
    where picked.rank < ${limit}`);
}

/**
 * Reserves the groups of a step by importance: the largest log p + Gumbel noise, with
 * p = (1 − ε)·Ĩ^{1/τ}/Σ + ε/N and Ĩ = ρ^k·I + (1 − ρ^k)·φ·Ī (spec §3; a sample never visited has Ī, the mean of those visited).
 * Noise: −ln(−ln u), u = (first 13 hexadecimal digits of md5(`seed:step:sample`) + ½)/2^52: a retry picks the same.
 * Sums are exact decimals, so that the order in which rows are read cannot change them. To be called in a transaction.
 * [paper, ours]
 *
 * @param already groups of the step that are reserved: these samples are left out, and the others come behind them
 */
export async function reserveByImportance(
  db: Database,
  selection: DynamicSelection,
  already = 0,
): Promise<void> {
  const { run, step, corpus, corpusSamples, seed } = selection;
  const limit = Math.min(selection.groups, corpusSamples) - already;
  const others =
    already === 0
      ? sql`true`
      : sql`not exists (select from groups where groups.run = ${run} and groups.step = ${step}
          and groups.sample_id = keyed.sample_id)`;
  const average = sql`average.importance`;
  const stale = currentImportance({ step, average }, selection.halfLifeSteps);
  const exponent = sql`${1 / selection.temperature}::float8`;
  // All of a large corpus's rows fit; only within the caller's transaction.
  await db.execute(sql`set local work_mem = '64MB'`);
  await db.execute(sql`
    with known as (
      select s.sample_id, coalesce(t.category, 'new') as category,
        t.importance, t.last_step, t.fades_to
      from samples s
      left join sample_statistics t on t.run = ${run} and t.sample_id = s.sample_id
      where s.corpus = ${corpus}
    ),
    average as (select coalesce(avg(importance::numeric)::float8, 1) as importance from known),
    weighted as (
      select sample_id, category, ${stale} as importance from known cross join average
    ),
    powered as (
      select *, case when importance <= 0 or ${exponent} * ln(importance) < -740 then 0
        else power(importance, ${exponent}) end as mass
      from weighted
    ),
    total as (select sum(mass::numeric)::float8 as mass from powered),
    mixed as (
      select sample_id, category, importance,
        (('x' || left(md5(${`${seed}:${step}:`} || sample_id), 13))::bit(52)::bigint + 0.5::float8)
          / ${2 ** 52}::float8 as u,
        case when total.mass = 0 then 1 / ${corpusSamples}::float8 else
          (1 - ${selection.uniformShare}::float8) * powered.mass / total.mass
          + ${selection.uniformShare}::float8 / ${corpusSamples}::float8 end as p
      from powered cross join total
    ),
    keyed as (
      select sample_id, category, importance,
        case when p > 0 then ln(p) - ln(-ln(u)) else '-infinity' end as key
      from mixed
    ),
    best as (
      select * from keyed where ${others} order by key desc, sample_id collate "C" limit ${limit}
    )
    ${INSERT_GROUPS}
    select ${run}::text, ${step}::integer,
      ${already}::integer + row_number() over (order by key desc, sample_id collate "C") - 1,
      ${corpus}::text, sample_id, 'reserved', category, importance
    from best`);
}
