import type { SampleHistory } from '../../../contracts/dashboard.ts';
import { fixed } from '../../model/number-text.ts';
import { firstVisit } from '../../model/sample-order.ts';
import { heatColour, HEAT_SCALE } from './palette.ts';

const HEIGHT = 14;

/**
 * The visits of a sample, one cell each, coloured by reward. A small cell was dropped: all its completions were rewarded alike, and
 * the policy learned nothing from them.
 */
export function HeatStrip(props: { readonly sample: SampleHistory; readonly cell: number }) {
  const { sample, cell } = props;
  const { steps, rewards, rewardStds, kept, rewardMin, rewardMax } = sample;
  return (
    <svg
      class="strip"
      width={steps.length * cell}
      height={HEIGHT}
      role="img"
      aria-label={`rewards ${rewards.map((reward) => fixed(reward, 1)).join(', ')}`}
    >
      {steps.map((step, visit) => {
        const reward = rewards[visit] ?? null;
        const small = kept[visit] === false;
        const side = small ? Math.max(2, Math.round(cell / 2) - 1) : Math.max(1, cell - 1);
        const tall = small ? HEIGHT / 2 - 1 : HEIGHT;
        return (
          <rect
            key={step}
            x={visit * cell + (Math.max(1, cell - 1) - side) / 2}
            y={(HEIGHT - tall) / 2}
            width={side}
            height={tall}
            class="cell"
            fill={reward === null ? 'var(--grid)' : heatColour(reward, rewardMin, rewardMax)}
          >
            <title>
              {`visit ${firstVisit(sample) + visit}, step ${step}: reward ${fixed(reward, 2)} ± ${fixed(rewardStds[visit], 2)}${small ? ', dropped' : ''}`}
            </title>
          </rect>
        );
      })}
    </svg>
  );
}

/** What the colours mean. */
export function HeatLegend() {
  return (
    <span class="heat-legend">
      <span>
        reward: smallest
        <svg width={HEAT_SCALE.length * 14} height="12" aria-hidden="true">
          {HEAT_SCALE.map((colour, index) => (
            <rect key={colour} class="cell" x={index * 14} width="14" height="12" fill={colour} />
          ))}
        </svg>
        largest
      </span>
      <span>
        <svg width="7" height="7" aria-hidden="true">
          <rect width="7" height="7" fill="var(--muted)" />
        </svg>
        small: dropped, it taught nothing
      </span>
    </span>
  );
}
