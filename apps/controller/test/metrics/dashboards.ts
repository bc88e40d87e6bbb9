/** The dashboards that are shipped, as far as tests look into them. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

export interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly gridPos: {
    readonly x: number;
    readonly y: number;
    readonly w: number;
    readonly h: number;
  };
  readonly datasource?: { readonly uid: string };
  readonly targets?: readonly { readonly refId: string; readonly expr: string }[];
}

export interface Dashboard {
  readonly file: string;
  readonly uid: string;
  readonly schemaVersion: number;
  readonly panels: readonly Panel[];
  readonly templating: {
    readonly list: readonly {
      readonly name: string;
      readonly type: string;
      readonly query: string;
    }[];
  };
}

const FOLDER = join(import.meta.dirname, "..", "..", "..", "..", "packaging", "grafana");

export function dashboards(): readonly Dashboard[] {
  return readdirSync(FOLDER).map((file) => ({
    ...(JSON.parse(readFileSync(join(FOLDER, file), "utf8")) as Omit<Dashboard, "file">),
    file,
  }));
}
