import type { CompletionDetail, GroupDetail } from '../../../contracts/dashboard.ts';
import { callRows, completionRows } from '../../model/group-rows.ts';
import { fixed, signed } from '../../model/number-text.ts';
import { CategoryChip, CsvButton } from '../parts.tsx';
import { Task } from '../samples/task.tsx';
import { hrefOf } from '../../model/route.ts';
import { ComparedCalls } from './compared-calls.tsx';
import { RewardSum } from './reward-sum.tsx';

/** A prompt with all its completions. */
export function Group(props: {
  readonly run: string;
  readonly step: number;
  readonly group: GroupDetail;
}) {
  const { run, step, group } = props;
  const { summary } = group;
  return (
    <article class="group">
      <div class="page-head">
        <h2>
          <a href={hrefOf({ page: 'sample', run, sample: summary.sampleId })}>{summary.sampleId}</a>
        </h2>
        <span class="tools">
          <CategoryChip category={summary.category} />
          <span>importance {fixed(summary.importance, 2)}</span>
          <span>{FATES[summary.state]}</span>
          {summary.round > 0 && <span>backfill round {summary.round}</span>}
          <CsvButton
            name={`${run}-step-${step}-group-${summary.rank}`}
            of={`Completions of ${summary.sampleId}`}
            rows={() => completionRows(group)}
          />
          <CsvButton
            text="CSV of calls"
            name={`${run}-step-${step}-group-${summary.rank}-calls`}
            of={`Calls of ${summary.sampleId}`}
            rows={() => callRows(group)}
          />
        </span>
      </div>
      <Task task={group} />
      {group.completions.length === 0 && <p class="waiting">Its completions are being sampled.</p>}
      {alike(group.completions).map((same) => (
        <Completion key={same[0].index} group={group} same={same} />
      ))}
    </article>
  );
}

type Alike = readonly [CompletionDetail, ...CompletionDetail[]];

/** Completions of the same text together, in the order in which they first appear. */
function alike(completions: readonly CompletionDetail[]): Alike[] {
  const byText = new Map<string, [CompletionDetail, ...CompletionDetail[]]>();
  for (const completion of completions) {
    const same = byText.get(completion.text);
    if (same === undefined) byText.set(completion.text, [completion]);
    else same.push(completion);
  }
  return [...byText.values()];
}

function Completion({ group, same }: { readonly group: GroupDetail; readonly same: Alike }) {
  const [completion] = same;
  const { advantage } = completion;
  return (
    <section class="completion">
      <h3>
        <span class="verdict">
          {completion.exactMatch === null ? '…' : completion.exactMatch ? '✓ exact' : '✕ not exact'}
        </span>
        <span>
          reward <strong>{fixed(completion.reward, 2)}</strong>
        </span>
        <span class="muted">
          {same.length === 1 ? 'completion' : `the same ${same.length} times: completions`}{' '}
          {same.map(({ index }) => index + 1).join(', ')} of {group.completions.length},{' '}
          {completion.tokens} tokens
          {completion.finishReason === 'length' ? ', cut off' : ''}
          {advantage === null ? '' : `, advantage ${signed(advantage, 2)}`}
        </span>
      </h3>
      <div class="columns">
        <ComparedCalls calls={completion.calls} />
        <RewardSum
          parts={completion.parts}
          base={group.base}
          weights={group.weights}
          reward={completion.reward}
          weightedReward={completion.weightedReward}
        />
      </div>
      <details>
        <summary>As it was written</summary>
        <pre class="text">{completion.text}</pre>
      </details>
    </section>
  );
}

const FATES = {
  kept: 'trained on',
  dropped: 'dropped: no variance',
  drawn: 'not decided yet',
} as const;
