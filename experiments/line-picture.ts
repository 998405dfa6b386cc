import { escaped, panelElements, text, type Panel } from './line-panel.ts';

/** Panels side by side in one SVG. */
export interface Picture {
  /** For those who do not see it. */
  readonly title: string;
  /** Above the panels. */
  readonly description: string;
  readonly panels: readonly Panel[];
  /** Room for the labels to the right of each plot. Default: enough for short ones. */
  readonly labelWidth?: number;
}

const HEIGHT = 360;
const PLOT = { top: 62, width: 300, height: 230 } as const;
const LEFT = 56;
const LABEL_WIDTH = 114;
/** Between the labels of a plot and the next plot, whose numbers stand there. */
const GAP = 76;

const STYLE = `
  text { font: 13px system-ui, sans-serif; }
  .ground { fill: #ffffff; } .text { fill: #1f2328; } .quiet { fill: #59636e; }
  .grid { stroke: #d1d9e0; stroke-width: 1; }
  .title { font-weight: 600; font-size: 14px; } .end { text-anchor: end; } .middle { text-anchor: middle; }
  @media (prefers-color-scheme: dark) {
    .ground { fill: #0d1117; } .text { fill: #f0f6fc; } .quiet { fill: #9198a1; } .grid { stroke: #30363d; }
  }`;

/** The picture: no script, no font of its own, light and dark by the reader's preference. */
export function pictureSvg({
  title,
  description,
  panels,
  labelWidth = LABEL_WIDTH,
}: Picture): string {
  const step = PLOT.width + labelWidth + GAP;
  const width = LEFT + panels.length * step - GAP;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${HEIGHT}" width="${width}" height="${HEIGHT}" role="img">`,
    `<title>${escaped(title)}</title>`,
    `<style>${STYLE}\n</style>`,
    `<rect class="ground" width="${width}" height="${HEIGHT}" rx="8"/>`,
    text(16, 24, description, 'quiet'),
    ...panels.flatMap((panel, i) => panelElements(panel, { ...PLOT, left: LEFT + i * step })),
    '</svg>',
    '',
  ].join('\n');
}
