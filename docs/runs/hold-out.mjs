// Puts every fourth row aside, for evaluation.
import { readFileSync, writeFileSync } from 'node:fs';

const [source, training, heldOut] = process.argv.slice(2);
const rows = JSON.parse(readFileSync(source, 'utf8'));
writeFileSync(training, JSON.stringify(rows.filter((_, i) => i % 4 !== 3)));
writeFileSync(heldOut, JSON.stringify(rows.filter((_, i) => i % 4 === 3)));
