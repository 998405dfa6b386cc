import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';

const STYLE = new URL('../../dashboard/pages/style/colours.css', import.meta.url);
/** The colours by day, and those by night. */
const THEMES = readFileSync(STYLE, 'utf8').split('@media');

it.each(['text', 'muted', 'mark', 'accent', 'good', 'bad'])(
  'texts in %s can be read on either ground, by day and by night (WCAG AA: 4.5)',
  (name) => {
    expect(THEMES).toHaveLength(2);
    for (const theme of THEMES) {
      for (const ground of ['ground', 'surface'])
        expect(contrast(colour(theme, name), colour(theme, ground))).toBeGreaterThanOrEqual(4.5);
    }
  },
);

function colour(theme: string, name: string): string {
  return new RegExp(`--${name}: (#[0-9a-f]{6});`).exec(theme)?.[1] ?? '';
}

/** Of two colours, as WCAG 2 defines it. */
function contrast(one: string, other: string): number {
  const [darker = 0, lighter = 0] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (lighter + 0.05) / (darker + 0.05);
}

function luminance(colour: string): number {
  const [red = 0, green = 0, blue = 0] = [1, 3, 5].map((at) => {
    const share = Number.parseInt(colour.slice(at, at + 2), 16) / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}
