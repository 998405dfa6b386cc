import { stat } from 'node:fs/promises';
import { ToolsampleError } from '../contracts/errors.ts';
import type { RejectedRow, Sample } from '../contracts/sample.ts';
import { readSamples } from '../datasets/dataset.ts';
import { categoriesIn } from './bfcl/questions.ts';

/**
 * What a run is evaluated on besides its held-out samples: those of a file, or of each of BFCL's files in a folder.
 * @param limit samples of each file at most
 * @throws ToolsampleError `not-found` or `dataset`
 */
export async function* suiteSamples(
  place: string,
  limit: number,
): AsyncGenerator<Sample | RejectedRow> {
  const isFolder = (await stat(place).catch(() => null))?.isDirectory() === true;
  for (const file of isFolder ? await answeredFiles(place) : [place]) {
    let taken = 0;
    for await (const item of readSamples(file)) {
      yield item;
      if (++taken >= limit) break;
    }
  }
}

/** Relevance has no right answer that a reward could tell: any call will do. */
async function answeredFiles(folder: string): Promise<readonly string[]> {
  const found = await categoriesIn(folder);
  const files = [...found].flatMap(([category, file]) =>
    category === 'live_relevance' ? [] : [file],
  );
  if (files.length > 0) return files;
  throw new ToolsampleError('not-found', 'holds none of the files of BFCL', {
    at: { file: folder },
    hint: 'give a file of samples, or a folder with BFCL_v4_multiple.json and so on',
  });
}
