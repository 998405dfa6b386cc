import type { RunDetail, StepPoint } from '../../../contracts/dashboard.ts';
import { tokenRate } from '../../../contracts/pace.ts';
import { moment, span, whole } from '../../model/number-text.ts';
import { Bar, StateChip } from '../parts.tsx';

/** Name, state, how far, how long still. */
export function RunHead(props: {
  readonly detail: RunDetail;
  readonly steps: readonly StepPoint[];
}) {
  const { overview, policyParameters } = props.detail;
  const { step, totalSteps } = overview;
  const rate = tokenRate(props.steps);
  const facts = [
    ['policy', shortPath(overview.policy)],
    ...(policyParameters === null ? [] : [['parameters', whole(policyParameters)]]),
    ['data', shortPath(overview.data)],
    ['sampler', overview.sampler],
    ['curriculum', overview.curriculum],
    ['seed', String(overview.seed)],
    ['tokens', whole(overview.generatedTokens)],
    ['tokens/s', whole(rate)],
    ['started', moment(overview.startedAt)],
    ...(overview.finishedAt === null ? [] : [['ended', moment(overview.finishedAt)]]),
  ];
  return (
    <header class="run-head">
      <div class="line">
        <h1>{overview.run}</h1>
        <StateChip run={overview} />
        {overview.requested !== null && <span class="muted">{overview.requested} asked for</span>}
      </div>
      <div class="line">
        <Bar share={totalSteps === 0 ? 0 : step / totalSteps} label="steps made" />
        <span>
          step <strong>{step}</strong> of {totalSteps}
        </span>
        {overview.secondsLeft !== null && (
          <span>
            <strong>{span(overview.secondsLeft)}</strong> left
          </span>
        )}
      </div>
      {overview.reason !== null && <p class="problem">{overview.reason}</p>}
      <dl class="facts">
        {facts.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
    </header>
  );
}

/** The last part of a path says what it is; the rest says where. */
function shortPath(path: string): string {
  return path.split('/').findLast((part) => part !== '') ?? path;
}
