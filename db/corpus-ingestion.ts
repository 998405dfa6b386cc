import { createHash } from 'node:crypto';
import { getTableColumns, sql } from 'drizzle-orm';
import { ToolsampleError } from '../contracts/errors.ts';
import type { Sample } from '../contracts/sample.ts';
import { insertRows } from './bulk-insert.ts';
import { storableJson } from './columns.ts';
import type { Database } from './connection.ts';
import { corpora, samples } from './schema/corpora.ts';

/** A sample and the range of rewards that its completions can get. */
export interface IngestedSample {
  readonly sample: Sample;
  readonly rewardMin: number;
  readonly rewardMax: number;
}

export interface IngestedCorpus {
  /** Its id: a hash of its samples. */
  readonly corpus: string;
  readonly samples: number;
}

/** Rows of one INSERT: large enough to be quick, small enough for memory. */
const BATCH = 1_000;

/**
 * Stores samples as a corpus, in their order. The same samples are stored once, whichever run brings them.
 * Streams: only a batch of rows is in memory. To be called in a transaction.
 *
 * @param source what people call the data; for messages
 * @throws ToolsampleError `dataset` when two samples have the same id
 */
export async function ingestCorpus(
  tx: Database,
  source: string,
  stream: AsyncIterable<IngestedSample>,
): Promise<IngestedCorpus> {
  // The id is known only at the end: rows wait in a table of this transaction.
  await tx.execute(sql`create temporary table staged_samples (like samples) on commit drop`);
  const digest = createHash('sha256');
  let ordinal = 0;
  let batch: (typeof samples.$inferInsert)[] = [];
  const flush = async (): Promise<void> => {
    await insertRows(tx, samples, batch, 'staged_samples');
    batch = [];
  };
  for await (const each of stream) {
    const row = toRow(each, ordinal++);
    digest.update(storableJson(row));
    digest.update('\n');
    batch.push({ ...row, tools: row.tools ?? null, sourceTurn: row.sourceTurn ?? null });
    if (batch.length === BATCH) await flush();
  }
  await flush();
  const corpus = digest.digest('hex').slice(0, 16);
  await publish(tx, corpus, source, ordinal);
  await tx.execute(sql`drop table staged_samples`);
  return { corpus, samples: ordinal };
}

async function publish(tx: Database, corpus: string, source: string, count: number): Promise<void> {
  const inserted = await tx
    .insert(corpora)
    .values({ corpus, source, samples: count })
    .onConflictDoNothing()
    .returning({ corpus: corpora.corpus });
  if (inserted.length === 0) return;
  const twice = await tx.execute<{ sample_id: string; source_name: string; row: number }>(sql`
    select sample_id, max(source_name) as source_name, max(source_row) as row from staged_samples
    group by sample_id having count(*) > 1 order by sample_id collate "C" limit 1`);
  const [duplicate] = twice.rows;
  if (duplicate !== undefined) {
    throw new ToolsampleError('dataset', `two samples have the id "${duplicate.sample_id}"`, {
      at: { file: duplicate.source_name, row: duplicate.row, field: 'id' },
      hint: 'give each sample an id of its own, or none',
    });
  }
  const others = Object.values(getTableColumns(samples))
    .filter(({ name }) => name !== 'corpus')
    .map(({ name }) => sql.identifier(name));
  const columns = sql.join(others, sql`, `);
  // They lie in their order already: sorting a large corpus would take longer than storing it.
  await tx.execute(sql`
    insert into samples (corpus, ${columns}) select ${corpus}::text, ${columns} from staged_samples`);
}

function toRow(
  { sample, rewardMin, rewardMax }: IngestedSample,
  ordinal: number,
): typeof samples.$inferInsert {
  return {
    corpus: '',
    sampleId: sample.id,
    ordinal,
    rewardMin,
    rewardMax,
    level: sample.level,
    shape: sample.shape,
    sourceFormat: sample.provenance.format,
    sourceName: sample.provenance.source,
    sourceRow: sample.provenance.row,
    messages: sample.messages,
    groundTruth: sample.groundTruth,
    calls: sample.calls,
    allowedValues: sample.allowedValues ?? null,
    // Left out where a sample has none: corpora that were stored before there were any keep their ids.
    ...(sample.tools === undefined ? {} : { tools: sample.tools }),
    ...(sample.provenance.turn === undefined ? {} : { sourceTurn: sample.provenance.turn }),
  };
}
