import { formatSelector } from "@bulkhead/model";
import { describe, expect, it } from "vitest";
import { applicationOf, groupWorkloads, suggest, type Member } from "../src/index.ts";
import { edge, inventoryOf, workload } from "./shop.ts";

const of = (labels: Readonly<Record<string, string>>): string =>
  applicationOf({ namespace: "shop", labels });

describe("an application", () => {
  it("is named by the first of its labels that says so, and else by the namespace", () => {
    const all = {
      team: "red",
      owner: "ann",
      "bulkhead.dev/owner": "bob",
      "com.docker.compose.project": "blog",
      "app.kubernetes.io/part-of": "till",
    };
    expect(of(all)).toBe("shop/till");
    const { "app.kubernetes.io/part-of": _partOf, ...composed } = all;
    expect(of(composed)).toBe("shop/blog");
    const { "com.docker.compose.project": _project, ...owned } = composed;
    expect(of(owned)).toBe("shop/bob");
    expect(of({ team: "red", owner: "ann" })).toBe("shop/ann");
    expect(of({ team: "red", app: "web" })).toBe("shop/red");
    expect(of({ app: "web" })).toBe("shop");
  });

  it("has its own roles: two projects with a `db` each are told apart", () => {
    const compose = (project: string, service: string) => ({
      "com.docker.compose.project": project,
      "com.docker.compose.service": service,
    });
    const members: readonly Member[] = [
      { id: "default/a", namespace: "default", labels: compose("blog", "db") },
      { id: "default/b", namespace: "default", labels: compose("mail", "db") },
      { id: "default/c", namespace: "default", labels: { app: "cron" } },
      { id: "default/d", namespace: "default", labels: { "com.docker.compose.project": "solo" } },
    ];
    const { groups, ungrouped } = groupWorkloads(members);
    expect(ungrouped).toEqual([]);
    expect(groups.map(({ name, selector }) => `${name}: ${formatSelector(selector)}`)).toEqual([
      "blog-db: com.docker.compose.project=blog,com.docker.compose.service=db",
      "cron: app=cron,!com.docker.compose.project",
      "mail-db: com.docker.compose.project=mail,com.docker.compose.service=db",
      "solo: com.docker.compose.project=solo",
    ]);
  });

  it("has the rules of what it serves, and its owner where all of it agrees", () => {
    const all = [
      workload("web", 10, { app: "web", team: "red", "app.kubernetes.io/part-of": "site" }),
      workload("db", 11, { app: "db", team: "red", "app.kubernetes.io/part-of": "site" }),
      workload("till", 12, { app: "till", team: "blue", "app.kubernetes.io/part-of": "till" }),
      workload("vault", 13, { app: "vault", team: "red", "app.kubernetes.io/part-of": "till" }),
    ];
    const { applications, rules } = suggest(
      [
        edge("web", "db", "5432/tcp", {}, 4, all),
        edge("till", "db", "5432/tcp", {}, 4, all),
        edge("web", "till", "8080/tcp", {}, 4, all),
        edge("till", "203.0.113.9", "443/tcp", {}, 4, all),
      ],
      inventoryOf(all),
    );
    expect(applications).toEqual([
      {
        id: "shop/site",
        namespace: "shop",
        label: { key: "app.kubernetes.io/part-of", value: "site" },
        owner: "red",
        workloads: 2,
      },
      {
        id: "shop/till",
        namespace: "shop",
        label: { key: "app.kubernetes.io/part-of", value: "till" },
        workloads: 2,
      },
    ]);
    expect(rules.map(({ name, application }) => `${application} ${name}`)).toEqual([
      "shop/site site-web-to-site-db",
      "shop/till site-web-to-till-till",
      "shop/site till-till-to-site-db",
      "shop/till till-till-to-world-443",
    ]);
  });
});
