// What GitHub itself says of workflow files, actions and expressions.
//   node --import ./hook.mjs check.mjs   reads {"files": [[name, text]], "expressions": [[text, contexts]]}
//   and writes {"files": [{errors, jobs}], "expressions": [value]}
import {readFileSync} from "node:fs";
import {convertWorkflowTemplate, NoOperationTraceWriter, parseWorkflow} from "@actions/workflow-parser";
import {parseAction} from "@actions/workflow-parser/actions/action-parser";
import {data, Evaluator, Lexer, Parser} from "@actions/expressions";

function asData(value) {
  if (value === null || value === undefined) return new data.Null();
  if (typeof value === "string") return new data.StringData(value);
  if (typeof value === "number") return new data.NumberData(value);
  if (typeof value === "boolean") return new data.BooleanData(value);
  if (Array.isArray(value)) return new data.Array(...value.map(asData));
  return new data.Dictionary(...Object.entries(value).map(([key, inner]) => ({key, value: asData(inner)})));
}

async function checked([name, content]) {
  const trace = new NoOperationTraceWriter();
  if (/(^|\/)action\.ya?ml$/.test(name)) {
    const action = parseAction({name, content}, trace);
    return {errors: action.context.errors.getErrors().map(e => e.message), jobs: {}};
  }
  const result = parseWorkflow({name, content}, trace);
  const errors = result.context.errors.getErrors().map(e => e.message);
  const jobs = {};
  if (result.value) {
    const template = await convertWorkflowTemplate(result.context, result.value);
    errors.push(...(template.errors ?? []).map(e => e.Message ?? e.message));
    for (const job of template.jobs ?? []) jobs[job.id.value] = job.type;
  }
  return {errors, jobs};
}

function evaluated([text, contexts]) {
  const names = Object.keys(contexts);
  const tree = new Parser(new Lexer(text).lex().tokens, names, []).parse();
  const value = new Evaluator(tree, asData(contexts)).evaluate();
  return value.coerceString();
}

const asked = JSON.parse(readFileSync(0, "utf8"));
const files = [];
for (const file of asked.files ?? []) files.push(await checked(file));
console.log(JSON.stringify({files, expressions: (asked.expressions ?? []).map(evaluated)}));
