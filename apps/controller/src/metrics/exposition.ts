/**
 * Metrics as text: Prometheus' text format 0.0.4, and OpenMetrics 1.0 for who asks for it
 * (https://prometheus.io/docs/instrumenting/exposition_formats, https://prometheus.io/docs/specs/om/open_metrics_spec).
 */
import type { Family, Labels, Sample } from "./family.ts";

export type Form = "text" | "openmetrics";

export const CONTENT_TYPES: Readonly<Record<Form, string>> = {
  text: "text/plain; version=0.0.4; charset=utf-8",
  openmetrics: "application/openmetrics-text; version=1.0.0; charset=utf-8",
};

/** OpenMetrics where it is named at all: who names it prefers it, as Prometheus does. */
export function formOf(accept: string | undefined): Form {
  return accept?.includes("application/openmetrics-text") === true ? "openmetrics" : "text";
}

export function exposition(families: readonly Family[], form: Form): string {
  const text = families.map((family) => familyText(family, form)).join("");
  return form === "openmetrics" ? `${text}# EOF\n` : text;
}

function familyText(family: Family, form: Form): string {
  // Only OpenMetrics names a counter without what its samples end in.
  const suffix = family.kind === "counter" ? "_total" : "";
  const name = form === "openmetrics" ? family.name : `${family.name}${suffix}`;
  return `# HELP ${name} ${escapedHelp(family.help, form)}\n# TYPE ${name} ${family.kind}\n${samplesOf(
    family,
  )
    .map(({ name: full, labels, value }) => `${full}${labelsText(labels)} ${numberText(value)}\n`)
    .join("")}`;
}

function samplesOf(family: Family): readonly (Sample & { readonly name: string })[] {
  const { name } = family;
  if (family.kind !== "histogram") {
    const full = family.kind === "counter" ? `${name}_total` : name;
    return family.samples.map((sample) => ({ name: full, ...sample }));
  }
  return family.distributions.flatMap(({ labels, below, count, sum }) => [
    ...[...below, [Infinity, count] as const].map(([bound, value]) => ({
      name: `${name}_bucket`,
      labels: { ...labels, le: boundText(bound) },
      value,
    })),
    { name: `${name}_sum`, labels, value: sum },
    { name: `${name}_count`, labels, value: count },
  ]);
}

function labelsText(labels: Labels): string {
  const pairs = Object.entries(labels).map(([key, value]) => `${key}="${escaped(value)}"`);
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}

function numberText(value: number): string {
  if (Number.isFinite(value)) return String(value);
  return Number.isNaN(value) ? "NaN" : value > 0 ? "+Inf" : "-Inf";
}

/** OpenMetrics wants bounds as floats, and Prometheus takes both. */
const boundText = (bound: number): string =>
  Number.isInteger(bound) ? `${bound}.0` : numberText(bound);

/** Names that people and workloads chose: what is in them cannot end the line. */
const escaped = (text: string): string =>
  text
    .replaceAll("\\", String.raw`\\`)
    .replaceAll("\n", String.raw`\n`)
    .replaceAll('"', String.raw`\"`);

const escapedHelp = (text: string, form: Form): string =>
  form === "openmetrics"
    ? escaped(text)
    : text.replaceAll("\\", String.raw`\\`).replaceAll("\n", String.raw`\n`);
