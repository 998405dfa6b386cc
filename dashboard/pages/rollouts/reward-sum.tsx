import type { CompletionDetail } from '../../../contracts/dashboard.ts';
import { SUB_TASKS, type PerSubTask } from '../../../contracts/reward.ts';
import { fixed } from '../../model/number-text.ts';

/** A reward added up from the sub-tasks, without and with the weights of the curriculum. */
export function RewardSum(props: {
  readonly parts: CompletionDetail['parts'];
  readonly base: number;
  readonly weights: PerSubTask;
  readonly reward: number | null;
  readonly weightedReward: number | null;
}) {
  const { parts, base, weights, reward, weightedReward } = props;
  if (parts === null) return <p class="note">Not scored yet.</p>;
  return (
    <table class="sum">
      <thead>
        <tr>
          <th />
          <th class="number">score</th>
          <th class="number">points</th>
          <th class="number">of</th>
          <th class="number">weight</th>
          <th class="number">weighted</th>
        </tr>
      </thead>
      <tbody>
        <tr>
          <td>base</td>
          <td />
          <td class="number">{fixed(base, 2)}</td>
          <td />
          <td />
          <td class="number">{fixed(base, 2)}</td>
        </tr>
        {SUB_TASKS.map((task) => (
          <tr key={task} class={parts[task].score < 1 && parts[task].most > 0 ? 'short' : ''}>
            <td>{task}</td>
            <td class="number">{fixed(parts[task].score, 2)}</td>
            <td class="number">{fixed(parts[task].points, 2)}</td>
            <td class="number muted">{fixed(parts[task].most, 2)}</td>
            <td class="number muted">{fixed(weights[task], 2)}</td>
            <td class="number">{fixed(parts[task].weightedPoints, 2)}</td>
          </tr>
        ))}
      </tbody>
      <tfoot>
        <tr>
          <td>reward</td>
          <td />
          <td class="number">{fixed(reward, 2)}</td>
          <td />
          <td />
          <td class="number">{fixed(weightedReward, 2)}</td>
        </tr>
      </tfoot>
    </table>
  );
}
