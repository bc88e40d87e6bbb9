/**
 * What containers are told of whom to call: values of their environment, and ConfigMaps. Of each value only the destination is
 * kept, here, where it is read; Secrets are never read. Whatever has another form than expected is no mistake of a policy's.
 */
import {
  destinationsIn,
  linesOf,
  type ConfiguredDestination,
  type SourceSpan,
} from "@bulkhead/model";
import type { TreeNode } from "../text/document.ts";
import { fields, optional, required } from "../text/fields.ts";
import { mapped, type Shape } from "../text/shape.ts";
import { objectMeta } from "./metadata.ts";

/** A ConfigMap that a container's environment takes an entry from; all of them without `key`. */
export interface MapReference {
  readonly name: string;
  readonly key?: string;
}

export interface ContainerConfiguration {
  readonly destinations: readonly ConfiguredDestination[];
  readonly maps: readonly MapReference[];
}

export const NO_CONFIGURATION: ContainerConfiguration = { destinations: [], maps: [] };

/** Text, or what reads like one; an empty one where something else stands. */
export const anyText: Shape<string> = {
  schema: {},
  read: (node) => (node.kind === "scalar" && node.value !== null ? String(node.value) : ""),
};

const within = (node: TreeNode | undefined, key: string): TreeNode | undefined =>
  node?.kind === "map" ? node.entries.find((entry) => entry.key === key)?.value : undefined;
const textAt = (node: TreeNode | undefined): string | undefined =>
  node?.kind === "scalar" && node.value !== null ? String(node.value) : undefined;
const itemsOf = (node: TreeNode): readonly TreeNode[] => (node.kind === "list" ? node.items : []);

const env: Shape<ContainerConfiguration> = {
  schema: {},
  read: (node) => ({
    destinations: destinationsIn(
      itemsOf(node).flatMap((item) => {
        const [name, value] = [textAt(within(item, "name")), textAt(within(item, "value"))];
        return name === undefined || value === undefined ? [] : [{ name, value }];
      }),
    ),
    maps: itemsOf(node).flatMap((item): MapReference[] => {
      const reference = within(within(item, "valueFrom"), "configMapKeyRef");
      const [name, key] = [textAt(within(reference, "name")), textAt(within(reference, "key"))];
      return name === undefined || key === undefined ? [] : [{ name, key }];
    }),
  }),
};

const envFrom: Shape<readonly MapReference[]> = {
  schema: {},
  read: (node) =>
    itemsOf(node).flatMap((item): MapReference[] => {
      const name = textAt(within(within(item, "configMapRef"), "name"));
      return name === undefined ? [] : [{ name }];
    }),
};

export const containerConfiguration = { env, envFrom } as const;

export interface ConfigurationObject {
  readonly kind: "ConfigMap";
  readonly metadata: { readonly name: string; readonly namespace?: string };
  /** By key of its data. */
  readonly destinations: Readonly<Record<string, readonly ConfiguredDestination[]>>;
  readonly source: SourceSpan;
}

/** Entries beside one another belong together; those of a file do within it. */
const data: Shape<ConfigurationObject["destinations"]> = {
  schema: {},
  read: (node) => {
    if (node.kind !== "map") return {};
    const entries = node.entries.flatMap(({ key, value }) => {
      const text = textAt(value);
      return text === undefined ? [] : [{ name: key, value: text }];
    });
    const [files, plain] = [true, false].map((isFile) =>
      entries.filter(({ value }) => value.trim().includes("\n") === isFile),
    );
    return Object.fromEntries([
      ...Map.groupBy(destinationsIn(plain!), ({ entry }) => entry),
      ...files!.map(({ name, value }) => [name, destinationsIn(linesOf(value))] as const),
    ]);
  },
};

export const configurationMap: Shape<ConfigurationObject> = mapped(
  fields("a ConfigMap", { metadata: required(objectMeta), data: optional(data) }, { open: true }),
  ({ metadata, data: found = {}, source }, node, at) => {
    if (Object.values(found).some((list) => list.length > 0)) {
      const { name, namespace } = metadata;
      return {
        kind: "ConfigMap" as const,
        metadata: { name, ...(namespace === undefined ? {} : { namespace }) },
        destinations: found,
        source,
      };
    }
    at.report(
      "BH0401",
      within(node, "kind") ?? node,
      "`ConfigMap` says nothing about the network: ignored",
    );
    return undefined;
  },
);
