import { ToolsampleError } from '../contracts/errors.ts';
import type { RejectedRow } from '../contracts/sample.ts';

/**
 * Counts rows that cannot be used, and refuses the one that is too many.
 * @param limit bad rows that may be left out
 * @returns called with each bad row; throws ToolsampleError `dataset`, which names the row and its reason
 */
export function badRowLimit(limit: number): (row: RejectedRow) => void {
  let count = 0;
  return ({ file, row, field, reason }) => {
    count++;
    if (count <= limit) return;
    const which =
      limit === 0 ? reason : `${reason} (bad row number ${count}, ${limit} may be left out)`;
    throw new ToolsampleError('dataset', which, {
      at: { file, row, ...(field === undefined ? {} : { field }) },
      hint: 'correct the row, or leave out as many as there are: --max-bad-rows N; `toolsample data inspect` lists them',
    });
  };
}
