import { sql, type SQL } from 'drizzle-orm';
import type { Proposal } from '../contracts/large-corpus.ts';
import type { Selection } from './batch-selection.ts';
import type { Database } from './connection.ts';
import { lastPart, PARTS, partMasses, sampleMasses, type SumsOf } from './importance-sums.ts';
import { currentImportance } from './staleness.ts';

/** The sample that a proposal came to. */
export interface ProposedSample {
  /** Place in the corpus. */
  readonly ordinal: number;
  /** Ĩ at the step. */
  readonly importance: number;
}

/**
 * The samples of some proposals for a step, in their order. One by importance is a place in the cumulative sum of Ĩ over the corpus: found
 * in the sums of its parts, then in those of a part's parts, then among 32 samples. Rounding may
 * bring one to a sample without importance.
 */
export async function proposedSamples(
  db: Database,
  of: SumsOf,
  at: { readonly step: number; readonly average: number },
  proposals: readonly Proposal[],
): Promise<ProposedSample[]> {
  const { step } = at;
  const average = sql`${at.average}::float8`;
  const whole = partMasses(of, { step, average, level: 2, first: sql`0`, last: lastPart(of, 2) });
  const parts = below(sql`upper_part.node`);
  const middle = partMasses(of, {
    step,
    average,
    level: 1,
    first: parts.first,
    last: sql`least(${parts.last}, ${lastPart(of, 1)})`,
  });
  const places = below(sql`lower_part.node`);
  const lowest = sampleMasses(of, {
    step,
    average,
    first: places.first,
    last: sql`least(${places.last}, ${of.corpusSamples - 1}::integer)`,
  });
  const { rows } = await db.execute<{ ordinal: number; importance: number }>(sql`
    with proposals as (
      select * from unnest(
        ${sql.param(proposals.map(({ ordinal }) => ordinal))}::integer[],
        ${sql.param(proposals.map(({ position }) => position))}::float8[]) with ordinality p (ordinal, position, number)
    ),
    whole as materialized (select array_agg(upto order by node) as upto from (${cumulative(whole)}) w),
    found as (
      select number, sample.node as ordinal
      from proposals cross join whole
      cross join lateral (${part(sql`0`, sql`position * whole.upto[cardinality(whole.upto)]`, sql`whole`)}) upper_part
      cross join lateral (select array_agg(upto order by node) as upto from (${cumulative(middle)}) w) middle
      cross join lateral (${part(parts.first, sql`upper_part.position`, sql`middle`)}) lower_part
      cross join lateral (select array_agg(upto order by node) as upto from (${cumulative(lowest)}) w) lowest
      cross join lateral (${part(places.first, sql`lower_part.position`, sql`lowest`)}) sample
      where proposals.ordinal is null
      union all
      select number, ordinal from proposals where ordinal is not null
    )
    select found.ordinal, ${currentImportance({ step, average }, of.halfLife)} as importance from found
    left join sample_statistics known on known.run = ${of.run} and known.ordinal = found.ordinal
    order by number`);
  return rows;
}

/** What a part consists of: parts of the level below, or samples. */
function below(parent: SQL): { readonly first: SQL; readonly last: SQL } {
  return {
    first: sql`${parent} * ${PARTS}::integer`,
    last: sql`${parent} * ${PARTS}::integer + ${PARTS - 1}::integer`,
  };
}

/** The masses of a query, each with those before it: `upto`. */
function cumulative(masses: SQL): SQL {
  return sql`select node, sum(mass) over (order by node) as upto from (${masses}) masses`;
}

/** In which part a `position` in the sum over some parts falls, as `node`, and the position inside of it. */
function part(first: SQL, position: SQL, sums: SQL): SQL {
  // As many cumulative sums are not above the position as parts lie before it; rounding may put it behind the last.
  const before = sql`least(width_bucket(${position}, ${sums}.upto), cardinality(${sums}.upto) - 1)`;
  return sql`select ${first} + ${before} as node,
    ${position} - coalesce(${sums}.upto[${before}], 0) as position`;
}

/** By what Ĩ is told from I. */
export interface Staleness {
  /** Ī. */
  readonly average: number;
  /** In steps; null: none. */
  readonly halfLife: number | null;
}

/**
 * Reserves samples as the groups of a step.
 *
 * @param ordinals their places in the corpus, in the order of the draw
 * @param staleness null: they were drawn whatever their importance, which is recorded as it was at the last visit
 */
export async function reservePicked(
  db: Database,
  { run, step, corpus }: Selection,
  ordinals: readonly number[],
  staleness: Staleness | null,
): Promise<void> {
  const importance = currentImportance(
    { step, average: sql`${staleness?.average ?? 1}::float8` },
    staleness?.halfLife ?? null,
  );
  await db.execute(sql`
    insert into groups (run, step, rank, corpus, sample_id, state, drawn_category, drawn_importance)
    select ${run}::text, ${step}::integer, picked.place - 1, ${corpus}::text, samples.sample_id, 'reserved',
      coalesce(known.category, 'new'), ${importance}
    from unnest(${sql.param(ordinals)}::integer[]) with ordinality picked (ordinal, place)
    join samples on samples.corpus = ${corpus} and samples.ordinal = picked.ordinal
    left join sample_statistics known on known.run = ${run} and known.sample_id = samples.sample_id`);
}
