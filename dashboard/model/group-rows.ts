import type { GroupDetail } from '../../contracts/dashboard.ts';
import { SUB_TASKS } from '../../contracts/reward.ts';
import type { CsvRow } from './csv.ts';

/** The completions of a group, a row each, with what their rewards are added up from. */
export function completionRows({ completions, base, weights }: GroupDetail): CsvRow[] {
  return completions.map(({ parts, calls: _calls, ...completion }) => ({
    ...completion,
    base,
    ...Object.fromEntries(
      SUB_TASKS.flatMap((task) => [
        [`score_${task}`, parts?.[task].score],
        [`points_${task}`, parts?.[task].points],
        [`most_points_${task}`, parts?.[task].most],
        [`weight_${task}`, weights[task]],
        [`weighted_points_${task}`, parts?.[task].weightedPoints],
      ]),
    ),
  }));
}

/**
 * The calls of all completions of a group beside the ground truth's: a row for each parameter, one for a call without parameters, and one
 * for a completion without calls, or with calls that could not be read.
 */
export function callRows({ completions }: GroupDetail): CsvRow[] {
  return completions.flatMap(({ index, calls }): CsvRow[] => {
    const readable = calls !== null;
    if (calls === null || calls.length === 0) return [{ index, readable }];
    return calls.flatMap(({ wanted, given, parameters }, place): CsvRow[] => {
      const call = {
        index,
        readable,
        call: place + 1,
        wanted_call: wanted,
        given_call: given,
        call_right: wanted !== null && wanted === given,
      };
      return parameters.length === 0
        ? [call]
        : parameters.map((parameter) => ({ ...call, ...parameter }));
    });
  });
}
