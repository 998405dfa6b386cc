import { and, count, eq, getTableColumns, inArray, lte, sql } from 'drizzle-orm';
import type { Category, SampleStatistics } from '../contracts/sampling.ts';
import { columnArrays } from './bulk-insert.ts';
import type { Database } from './connection.ts';
import type { RunRow } from './runs.ts';
import { samples } from './schema/corpora.ts';
import { sampleStatistics } from './schema/learning.ts';

/** Statistics with what follows from them. */
export interface AssessedStatistics extends SampleStatistics {
  readonly category: Category;
  readonly importance: number;
  /** Share of the average importance that it fades to. */
  readonly fadesTo: number;
}

/** The statistics of those of the samples that were visited before. */
export async function statisticsOf(
  db: Database,
  run: string,
  ids: readonly string[],
): Promise<ReadonlyMap<string, SampleStatistics>> {
  const rows = await db
    .select()
    .from(sampleStatistics)
    .where(and(eq(sampleStatistics.run, run), inArray(sampleStatistics.sampleId, [...ids])));
  return new Map(
    rows.map(
      ({
        run: _run,
        corpus: _corpus,
        sampleId,
        category: _category,
        importance: _importance,
        fadesTo: _fadesTo,
        ordinal: _ordinal,
        ...statistics
      }) => [sampleId, statistics],
    ),
  );
}

/** Columns that a visit leaves as they are: the row's key, and what belongs to the sample. */
const LASTING = ['run', 'sample_id', 'corpus', 'ordinal'];

/** Writes the statistics of samples after a visit; in a run that picks by sums each row has its sample's place. */
export async function writeStatistics(
  db: Database,
  { run, corpus, selection }: Pick<RunRow, 'run' | 'corpus' | 'selection'>,
  rows: readonly (AssessedStatistics & { readonly sampleId: string })[],
): Promise<void> {
  if (rows.length === 0) return;
  const { names, arrays } = columnArrays(
    sampleStatistics,
    rows.map((row) => ({ run, corpus, ...row })),
  );
  const written = sql`select * from unnest(${arrays}) written (${names})`;
  const [columns, values] =
    selection === 'sums'
      ? [
          sql`${names}, ordinal`,
          sql`select written.*, s.ordinal from (${written}) written
            join samples s on s.corpus = ${corpus} and s.sample_id = written.sample_id`,
        ]
      : [names, written];
  const updates = Object.values(getTableColumns(sampleStatistics))
    .filter(({ name }) => !LASTING.includes(name))
    .map(({ name }) => sql`${sql.identifier(name)} = excluded.${sql.identifier(name)}`);
  await db.execute(sql`
    insert into sample_statistics (${columns}) ${values}
    on conflict (run, sample_id) do update set ${sql.join(updates, sql`, `)}`);
}

/** A group that was rolled out: one visit of its sample. */
export interface Visit {
  readonly step: number;
  readonly sampleId: string;
  /** Unweighted, of its completions in their order. */
  readonly rewards: readonly number[];
}

/** The visits of some steps that have learned, in order of step and draw. */
export async function visits(
  db: Database,
  run: string,
  firstStep: number,
  lastStep: number,
): Promise<Visit[]> {
  const { rows } = await db.execute<{ step: number; sample_id: string; rewards: number[] }>(sql`
    select step, sample_id, array_agg(reward order by index) as rewards from rollouts
    where run = ${run} and step between ${firstStep} and ${lastStep}
    group by step, rank, sample_id order by step, rank`);
  return rows.map(({ step, sample_id: sampleId, rewards }) => ({ step, sampleId, rewards }));
}

/** Whether no sample of a corpus has any importance left: all were visited, and none has something to gain. */
export async function nothingLeft(
  db: Database,
  run: string,
  corpusSamples: number,
): Promise<boolean> {
  const [row] = await db
    .select({ done: count() })
    .from(sampleStatistics)
    .where(and(eq(sampleStatistics.run, run), lte(sampleStatistics.importance, 0)));
  return row?.done === corpusSamples;
}

/** The range of the reward of each sample. */
export async function rewardRanges(
  db: Database,
  corpus: string,
  ids: readonly string[],
): Promise<ReadonlyMap<string, { readonly min: number; readonly max: number }>> {
  const rows = await db
    .select({ id: samples.sampleId, min: samples.rewardMin, max: samples.rewardMax })
    .from(samples)
    .where(and(eq(samples.corpus, corpus), inArray(samples.sampleId, [...ids])));
  return new Map(rows.map(({ id, min, max }) => [id, { min, max }]));
}
