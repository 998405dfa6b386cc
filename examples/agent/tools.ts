import { evaluate } from './calculator.ts';

/** A tool that the agent really runs. */
interface AgentTool {
  readonly description: string;
  /** JSON Schema of its arguments. */
  readonly parameters: {
    readonly type: 'object';
    readonly properties: {
      readonly [name: string]: { readonly type: string; readonly description: string };
    };
    readonly required: readonly string[];
  };
  readonly run: (given: { readonly [name: string]: unknown }) => string;
}

const FACTORS: { readonly [unit: string]: { readonly of: string; readonly factor: number } } = {
  meters: { of: 'length', factor: 1 },
  kilometers: { of: 'length', factor: 1000 },
  miles: { of: 'length', factor: 1609.344 },
  feet: { of: 'length', factor: 0.3048 },
  inches: { of: 'length', factor: 0.0254 },
  grams: { of: 'mass', factor: 1 },
  kilograms: { of: 'mass', factor: 1000 },
  pounds: { of: 'mass', factor: 453.592_37 },
  ounces: { of: 'mass', factor: 28.349_523_125 },
};

/** By name. None of them can do harm, whatever it is called with. */
export const TOOLS: { readonly [name: string]: AgentTool } = {
  calculator: {
    description: 'Computes an arithmetic expression.',
    parameters: {
      type: 'object',
      properties: {
        expression: { type: 'string', description: 'Numbers with + - * / and brackets.' },
      },
      required: ['expression'],
    },
    run: ({ expression }) => String(evaluate(text('expression', expression))),
  },
  current_time: {
    description: 'Tells the time of day in a time zone.',
    parameters: {
      type: 'object',
      properties: { zone: { type: 'string', description: 'IANA name, such as Europe/Berlin.' } },
      required: ['zone'],
    },
    run: ({ zone }) =>
      new Date().toLocaleTimeString('en-GB', { timeZone: text('zone', zone), timeStyle: 'short' }),
  },
  convert_unit: {
    description: 'Converts lengths and masses.',
    parameters: {
      type: 'object',
      properties: {
        value: { type: 'number', description: 'How much.' },
        from: { type: 'string', description: Object.keys(FACTORS).join(', ') },
        to: { type: 'string', description: 'Another one of these.' },
      },
      required: ['value', 'from', 'to'],
    },
    run: ({ value, from, to }) => {
      const [source, target] = [FACTORS[text('from', from)], FACTORS[text('to', to)]];
      if (typeof value !== 'number') throw new Error('value is no number');
      if (source === undefined || source.of !== target?.of)
        throw new Error('these units do not fit');
      return String(Number(((value * source.factor) / target.factor).toPrecision(6)));
    },
  },
};

function text(name: string, value: unknown): string {
  if (typeof value === 'string') return value;
  throw new Error(`${name} is no text`);
}
