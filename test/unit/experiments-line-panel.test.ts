import { describe, expect, it } from 'vitest';
import { panelElements, percentText, type Line, type Panel } from '../../experiments/line-panel.ts';

const FRAME = { left: 50, top: 20, width: 300, height: 200 };

function panel(lines: readonly Line[]): Panel {
  return {
    title: 'share',
    xTitle: 'tokens',
    xHigh: 20_000,
    yLow: 0,
    yHigh: 1,
    yText: percentText,
    lines,
  };
}

const line = (label: string, y: number): Line => ({
  label,
  colour: '#123456',
  points: [
    { x: 0, y: 0 },
    { x: 20_000, y },
  ],
});

/** Heights of the labels to the right of the plot. */
function labelHeights(elements: readonly string[]): number[] {
  return elements.flatMap((element) => {
    const height = /<text x="358" y="([\d.]+)" fill/.exec(element)?.[1];
    return height === undefined ? [] : [Number(height)];
  });
}

describe('a panel of lines', () => {
  it('puts shares from bottom to top and numbers from left to right', () => {
    const elements = panelElements(panel([line('a', 1)]), FRAME).join('\n');
    expect(elements).toContain('points="50,220 350,20"');
    expect(elements).toContain('>100%</text>');
    expect(elements).toContain('>20k</text>');
  });

  it('goes below zero where values do', () => {
    const values = { yLow: -3, yHigh: 4, yText: String };
    const drawn = panelElements({ ...panel([line('a', 4)]), ...values }, { ...FRAME, height: 210 });
    expect(drawn.join('\n')).toContain('points="50,140 350,20"');
    expect(drawn.join('\n')).toContain('>-3</text>');
  });

  it('keeps labels of lines that end together apart and inside the plot', () => {
    const lines = ['a', 'b', 'c', 'd'].map((label, i) => line(label, i * 0.001));
    const heights = labelHeights(panelElements(panel(lines), FRAME)).sort((a, b) => a - b);
    expect(heights).toHaveLength(4);
    for (let i = 1; i < heights.length; i++)
      expect((heights[i] ?? 0) - (heights[i - 1] ?? 0)).toBeGreaterThanOrEqual(15);
    expect(heights.at(-1)).toBeLessThanOrEqual(FRAME.top + FRAME.height + 4);
  });

  it('draws an interval as a closed band: the upper ends forward, the lower ones back', () => {
    const points = [
      { x: 0, y: 0.5, low: 0.25, high: 0.75 },
      { x: 20_000, y: 0.5, low: 0.25, high: 0.75 },
    ];
    const drawn = panelElements(
      panel([{ label: 'a', colour: 'red', style: 'band', points }]),
      FRAME,
    );
    expect(drawn.join('\n')).toContain('<polygon points="50,70 350,70 350,170 50,170"');
  });

  it('lets no name become markup', () => {
    const drawn = panelElements(panel([line('<script>&', 0.5)]), FRAME).join('\n');
    expect(drawn).toContain('>&lt;script&gt;&amp;</text>');
    expect(drawn).not.toContain('<script');
  });
});
