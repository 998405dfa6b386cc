import { and, asc, eq, gte, inArray, lt } from 'drizzle-orm';
import type { Sample } from '../contracts/sample.ts';
import type { Database } from './connection.ts';
import { corpora, samples } from './schema/corpora.ts';
import { runSplits } from './schema/runs.ts';

type SampleRow = typeof samples.$inferSelect;

/** A stored row as the sample it came from. */
export function toSample(row: SampleRow): Sample {
  const { sourceFormat: format, sourceName: source, sourceRow, sourceTurn: turn } = row;
  return {
    id: row.sampleId,
    messages: row.messages,
    groundTruth: row.groundTruth,
    shape: row.shape,
    calls: row.calls,
    level: row.level,
    provenance: { format, source, row: sourceRow, ...(turn === null ? {} : { turn }) },
    ...(row.allowedValues === null ? {} : { allowedValues: row.allowedValues }),
    ...(row.tools === null ? {} : { tools: row.tools }),
  };
}

/** Samples by id. */
export async function samplesById(
  db: Database,
  corpus: string,
  ids: readonly string[],
): Promise<ReadonlyMap<string, Sample>> {
  const rows = await db
    .select()
    .from(samples)
    .where(and(eq(samples.corpus, corpus), inArray(samples.sampleId, [...ids])));
  return new Map(rows.map((row) => [row.sampleId, toSample(row)]));
}

/** Samples of a corpus in its order, from the place `from` (0-based) on. */
export async function samplesInOrder(
  db: Database,
  corpus: string,
  from: number,
  limit: number,
): Promise<Sample[]> {
  const rows = await db
    .select()
    .from(samples)
    .where(
      and(
        eq(samples.corpus, corpus),
        gte(samples.ordinal, from),
        lt(samples.ordinal, from + limit),
      ),
    )
    .orderBy(asc(samples.ordinal));
  return rows.map(toSample);
}

/** How many samples each held-out split of a run has. */
export async function splitSizes(
  db: Database,
  run: string,
): Promise<{ readonly split: string; readonly samples: number }[]> {
  return db
    .select({ split: runSplits.split, samples: corpora.samples })
    .from(runSplits)
    .innerJoin(corpora, eq(corpora.corpus, runSplits.corpus))
    .where(eq(runSplits.run, run));
}

/** The corpus behind a held-out split of a run; null when the run has no such split. */
export async function splitCorpus(
  db: Database,
  run: string,
  split: string,
): Promise<string | null> {
  const [row] = await db
    .select({ corpus: runSplits.corpus })
    .from(runSplits)
    .where(and(eq(runSplits.run, run), eq(runSplits.split, split)));
  return row?.corpus ?? null;
}
