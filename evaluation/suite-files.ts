import { stat } from 'node:fs/promises';
import { ToolsampleError } from '../contracts/errors.ts';
import { categoriesIn } from './bfcl/questions.ts';

/**
 * Files of what a run is evaluated on besides its held-out samples: the file itself, or each of BFCL's files in a folder, but
 * for relevance, which has no right answer that a reward could tell: any call will do.
 * @throws ToolsampleError `not-found` when a folder has none of them
 */
export async function suiteFiles(place: string): Promise<readonly string[]> {
  const isFolder = (await stat(place).catch(() => null))?.isDirectory() === true;
  if (!isFolder) return [place];
  const found = await categoriesIn(place);
  const files = [...found].flatMap(([category, file]) =>
    category === 'live_relevance' ? [] : [file],
  );
  if (files.length > 0) return files;
  throw new ToolsampleError('not-found', 'holds none of the files of BFCL', {
    at: { file: place },
    hint: 'give a file of samples, or a folder with BFCL_v4_multiple.json and so on',
  });
}
