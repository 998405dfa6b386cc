// Keeps the first sentence of each demonstration's reasoning.
import { readFileSync, writeFileSync } from 'node:fs';

const [source, target] = process.argv.slice(2);
const rows = JSON.parse(readFileSync(source, 'utf8'));
const reasoning = /<think>\s*(.*?[.!?])(?:\s.*?)?<\/think>/s;
const shortened = rows.map((row) => ({
  ...row,
  output: row.output.replace(reasoning, (_, sentence) => `<think> ${sentence} </think>`),
}));
writeFileSync(target, JSON.stringify(shortened));
