import { sql, type SQL } from 'drizzle-orm';
import type { Database } from './connection.ts';
import { currentImportance, keptShare } from './staleness.ts';

/*
 * Sums of importance over parts of a large corpus, in two levels: from them a sample is found by its share of the whole in a few
 * hundred rows. Staleness moves every importance with every step, but all of a part in a way that six numbers tell:
 * ΣĨ(t) = ρ^(t − s)·(Σ ρ^(s − s_i)·I_i − Ī·Σ ρ^(s − s_i)·φ_i) + Ī·(Σ φ_i + new), s the part's latest visit. So only parts that a step has visited
 * are written, and always as sums over their rows: they depend on the statistics alone, not on how these came about.
 */

/** Samples of a part of level 1, and parts of a part of level 2. */
export const PARTS = 32;
/** Samples of a part, by level. */
const LEVELS = { 1: PARTS, 2: PARTS * PARTS } as const;
type Level = keyof typeof LEVELS;

/** A run that picks by sums, and the half-life of an importance in steps (null: none) that holds now. */
export interface SumsOf {
  readonly run: string;
  readonly corpusSamples: number;
  readonly halfLife: number | null;
}

/** Makes the sums agree with the statistics of some samples that were written. To be called in their transaction. */
export async function updateSums(
  tx: Database,
  of: SumsOf,
  sampleIds: readonly string[],
): Promise<void> {
  const ids = sql`sample_id = any(${sql.param(sampleIds)}::text[])`;
  if (await remakeForHalfLife(tx, of)) return;
  for (const level of [1, 2] as const) {
    await writeSums(
      tx,
      of,
      level,
      sql`select distinct ordinal / ${LEVELS[level]}::integer as node from sample_statistics
        where run = ${of.run} and ${ids}`,
    );
  }
}

/** Makes all sums from the statistics. To be called in a transaction. */
export async function makeSums(tx: Database, of: SumsOf): Promise<void> {
  await tx.execute(sql`delete from importance_sums where run = ${of.run}`);
  for (const level of [1, 2] as const) {
    await writeSums(tx, of, level, sql`select generate_series(0, ${lastPart(of, level)}) as node`);
  }
}

/** Makes all sums anew when they were made with another half-life, which may change while a run is under way. */
export async function remakeForHalfLife(tx: Database, of: SumsOf): Promise<boolean> {
  const { rows } = await tx.execute(sql`
    select from importance_sums where run = ${of.run} and level = 2
      and half_life is distinct from ${of.halfLife}::float8 limit 1`);
  if (rows.length === 0) return false;
  await makeSums(tx, of);
  return true;
}

/** What the sums say of a whole corpus. */
export interface ImportanceTotals {
  /** Ī. */
  readonly average: number;
  /** No Ĩ is higher. */
  readonly highest: number;
  /** ΣĨ at this step. */
  readonly total: number;
  /** Samples that were never visited. */
  readonly unvisited: number;
}

/** The totals of a corpus as they are at a step. */
export async function readTotals(
  db: Database,
  of: SumsOf,
  step: number,
): Promise<ImportanceTotals> {
  const { average, highest, unvisited } = await meanImportance(db, of);
  const masses = partMasses(of, {
    step,
    average: sql`${average}::float8`,
    level: 2,
    first: sql`0`,
    last: lastPart(of, 2),
  });
  const { rows } = await db.execute<{ total: number }>(sql`
    select sum(mass order by node) as total from (${masses}) masses`);
  return { average, highest, total: rows[0]?.total ?? 0, unvisited };
}

/** Mean and maximum of the importances at their last visits, of samples that were visited: one that never was has the mean. */
export async function meanImportance(
  db: Database,
  { run, corpusSamples }: Omit<SumsOf, 'halfLife'>,
): Promise<Pick<ImportanceTotals, 'average' | 'highest' | 'unvisited'>> {
  const { rows } = await db.execute<{ visited: number; sum: number; highest: number }>(sql`
    select coalesce(sum(visited), 0)::integer as visited, coalesce(sum(importance order by node), 0) as sum,
      coalesce(max(highest), 0) as highest
    from importance_sums where run = ${run} and level = 2`);
  const { visited = 0, sum = 0, highest = 0 } = rows[0] ?? {};
  const unvisited = corpusSamples - visited;
  return visited === 0
    ? { average: 1, highest: 1, unvisited }
    : { average: sum / visited, highest, unvisited };
}

/** The last part of a level, as SQL. */
export function lastPart({ corpusSamples }: Omit<SumsOf, 'halfLife'>, level: Level): SQL {
  return sql`${Math.floor((corpusSamples - 1) / LEVELS[level])}::integer`;
}

/** Keeps Postgres from reading a range row by row, or the whole table, for a join that it thinks larger than it is. */
const AS_ONE_RANGE = sql`offset 0`;

/** Which parts, and when. */
interface Parts {
  readonly step: number;
  /** Ī. */
  readonly average: SQL;
  readonly level: Level;
  /** The first and the last part. */
  readonly first: SQL;
  readonly last: SQL;
}

/** A query for the `mass` ΣĨ at a step of each `node` of a level. */
export function partMasses(of: SumsOf, { step, average, level, first, last }: Parts): SQL {
  const size = sql`least(${LEVELS[level]}::integer, ${of.corpusSamples}::integer - part.node * ${LEVELS[level]}::integer)`;
  const unvisited = sql`(${size} - sums.visited)`;
  const kept = sql`${keptShare(sql`${step}::integer - sums.last_step`, of.halfLife ?? 1)}`;
  const mass =
    of.halfLife === null
      ? sql`sums.importance + ${average} * ${unvisited}`
      : sql`greatest(0, ${kept} * (sums.kept_importance - ${average} * sums.kept)
          + ${average} * (sums.fades_to + ${unvisited}))`;
  return sql`select part.node, coalesce(${mass}, ${average} * ${size}) as mass
    from generate_series(${first}, ${last}) part (node)
    left join (
      select * from importance_sums
      where run = ${of.run} and level = ${level} and node between ${first} and ${last} ${AS_ONE_RANGE}
    ) sums on sums.node = part.node`;
}

/** A query for the `mass` Ĩ at a step of each sample from `first` to `last`, as `node` its ordinal. */
export function sampleMasses(
  of: SumsOf,
  { step, average, first, last }: Omit<Parts, 'level'>,
): SQL {
  return sql`select part.node, ${currentImportance({ step, average }, of.halfLife)} as mass
    from generate_series(${first}, ${last}) part (node)
    left join (
      select ordinal, importance, fades_to, last_step from sample_statistics
      where run = ${of.run} and ordinal between ${first} and ${last} ${AS_ONE_RANGE}
    ) known on known.ordinal = part.node`;
}

async function writeSums(tx: Database, of: SumsOf, level: Level, nodes: SQL): Promise<void> {
  const size = sql`${PARTS}::integer`;
  const range = sql`between nodes.node * ${size} and nodes.node * ${size} + ${size} - 1`;
  // One row for each sample, or for each part of the level below.
  const rows =
    level === 1
      ? sql`select ordinal as place, 1 as visited, fades_to, importance, importance as highest, last_step,
          fades_to as kept, importance as kept_importance
        from sample_statistics where run = ${of.run} and ordinal ${range}`
      : sql`select node as place, visited, fades_to, importance, highest, last_step, kept, kept_importance
        from importance_sums where run = ${of.run} and level = 1 and node ${range}`;
  const share =
    of.halfLife === null
      ? sql`1::float8`
      : keptShare(sql`max(last_step) over () - last_step`, of.halfLife);
  await tx.execute(sql`
    insert into importance_sums
      (run, level, node, visited, fades_to, importance, highest, last_step, kept, kept_importance, half_life)
    select ${of.run}::text, ${level}::integer, nodes.node, sum(visited), sum(fades_to order by place),
      sum(importance order by place), max(highest), max(last_step), sum(share * kept order by place), sum(share * kept_importance order by place),
      ${of.halfLife}::float8
    from (${nodes}) nodes
    cross join lateral (select *, ${share} as share from (${rows}) rows) part
    group by nodes.node
    on conflict (run, level, node) do update set visited = excluded.visited, fades_to = excluded.fades_to,
      importance = excluded.importance, highest = excluded.highest, last_step = excluded.last_step,
      kept = excluded.kept, kept_importance = excluded.kept_importance, half_life = excluded.half_life`);
}
