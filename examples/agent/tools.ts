import { evaluate } from './calculator.ts';

/** A tool that the agent really runs. */
interface AgentTool {
  readonly description: string;
  /** JSON Schema of its arguments. */
  readonly parameters: {
    readonly type: 'object';
    readonly properties: { readonly [name: string]: object };
    readonly required: readonly string[];
  };
  readonly run: (given: { readonly [name: string]: unknown }) => string;
}

/** Cities whose time of day is known. */
const ZONES: { readonly [city: string]: string } = {
  berlin: 'Europe/Berlin',
  london: 'Europe/London',
  paris: 'Europe/Paris',
  tokyo: 'Asia/Tokyo',
};

const timeIn = (zone: string, date: Date): string =>
  date.toLocaleTimeString('en-GB', { timeZone: zone, timeStyle: 'short' });

/**
 * By name. None of them can do harm, whatever it is called with. The first three have names that the shipped policy knows how to
 * use after `npm start`; it has no expressions in its English, larger ones do.
 */
export const TOOLS: { readonly [name: string]: AgentTool } = {
  watch_show: {
    description: 'Tells the time of day in a city.',
    parameters: {
      type: 'object',
      properties: { city: { type: 'string', description: Object.keys(ZONES).join(', ') } },
      required: ['city'],
    },
    run: ({ city }) => {
      const zone = typeof city === 'string' ? ZONES[city.toLowerCase()] : undefined;
      if (zone === undefined) throw new Error(`known cities are ${Object.keys(ZONES).join(', ')}`);
      return timeIn(zone, new Date());
    },
  },
  timer_start: {
    description: 'Tells when a timer that is started now will end.',
    parameters: {
      type: 'object',
      properties: { minutes: { type: 'integer' } },
      required: ['minutes'],
    },
    run: ({ minutes }) =>
      `ends at ${timeIn('UTC', new Date(Date.now() + 60_000 * number(minutes)))} UTC`,
  },
  heat_check: {
    description: 'Converts degrees of Celsius to Fahrenheit.',
    parameters: {
      type: 'object',
      properties: { degrees: { type: 'integer' } },
      required: ['degrees'],
    },
    run: ({ degrees }) => `${(number(degrees) * 1.8 + 32).toFixed(1)} F`,
  },
  calculator: {
    description: 'Computes an arithmetic expression.',
    parameters: {
      type: 'object',
      properties: { expression: { type: 'string', description: '+ - * / and brackets' } },
      required: ['expression'],
    },
    run: ({ expression }) => {
      if (typeof expression !== 'string') throw new Error('the expression is no text');
      return String(evaluate(expression));
    },
  },
};

function number(value: unknown): number {
  if (typeof value === 'number' && Number.isFinite(value)) return value;
  throw new Error(`${JSON.stringify(value)} is no number`);
}
