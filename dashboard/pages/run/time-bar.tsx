import type { RunDetail, StepPoint } from '../../../contracts/dashboard.ts';
import { percent, span } from '../../model/number-text.ts';
import { timeShares, type TimeShare } from '../../model/time-shares.ts';
import { CsvButton } from '../parts.tsx';

const COLOURS: { readonly [part in TimeShare['part']]: string } = {
  'cold start': 'var(--t-cold)',
  rollouts: 'var(--t-rollouts)',
  'gradient steps': 'var(--t-gradient)',
  evaluation: 'var(--t-evaluation)',
  'rest of steps': 'var(--t-rest)',
};

/** The time of the whole run in one bar. */
export function TimeBar(props: {
  readonly detail: RunDetail;
  readonly steps: readonly StepPoint[];
}) {
  const shares = timeShares(props.detail, props.steps).filter(({ seconds }) => seconds > 0);
  const { run } = props.detail.overview;
  return (
    <div class="time">
      <div class="time-bar" aria-hidden="true">
        {shares.map(({ part, share }) => (
          <span key={part} style={{ width: `${share * 100}%`, background: COLOURS[part] }} />
        ))}
      </div>
      <ul class="legend">
        {shares.map(({ part, seconds, share }) => (
          <li key={part}>
            <span class="swatch" style={{ background: COLOURS[part] }} aria-hidden="true" />
            <span class="label">{part}</span>
            <span class="value">
              {span(seconds)} · {percent(share, 0)}
            </span>
          </li>
        ))}
        <li class="end">
          <CsvButton
            name={`${run}-time`}
            of="Where does the time go?"
            rows={() => shares.map((each) => ({ ...each }))}
          />
        </li>
      </ul>
    </div>
  );
}
