import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { dockerSocket, runningContainers, watchContainers } from "../../src/discovery/docker.ts";
import { startFakeDocker, type FakeDocker } from "./docker-api.ts";

let docker: FakeDocker;
beforeEach(async () => {
  docker = await startFakeDocker();
});
afterEach(() => docker.close());

const web = {
  id: "aaaa",
  name: "web",
  image: "nginx:1",
  labels: { app: "web" },
  pid: 100,
  created: "2026-01-02T00:00:00Z",
};
const db = {
  id: "bbbb",
  name: "db",
  image: "postgres",
  labels: {},
  pid: 200,
  created: "2026-01-01T00:00:00Z",
};

test("running containers come with name, image, labels and process, oldest first", async () => {
  docker.containers = [web, db];
  expect(await runningContainers(docker.socket)).toEqual([
    { ...db, created: Date.parse(db.created) },
    { ...web, created: Date.parse(web.created) },
  ]);
});

test("one that vanishes between list and inspection, or has no process, is left out", async () => {
  docker.containers = [web, { ...db, pid: 0 }];
  docker.vanished.add(web.id);
  expect(await runningContainers(docker.socket)).toEqual([]);
});

test("no runtime is no error", async () => {
  expect(await runningContainers("/nonexistent/docker.sock")).toBeNull();
});

test.each([
  [{ status: 500, body: "{}" }, "answered 500"],
  [{ status: 200, body: "{" }, "JSON"],
  [{ status: 200, body: "{}" }, "no list"],
])("a runtime that answers %j is an error", async (answer, message) => {
  docker.answer = answer;
  await expect(runningContainers(docker.socket)).rejects.toThrow(message);
});

test("labels that are no text are left out", async () => {
  docker.containers = [{ ...web, labels: { a: "1", b: 2 } as never }];
  expect((await runningContainers(docker.socket))?.[0]?.labels).toEqual({ a: "1" });
});

describe("DOCKER_HOST", () => {
  test.each([
    [undefined, "/var/run/docker.sock"],
    ["", "/var/run/docker.sock"],
    ["unix:///run/user/1/docker.sock", "/run/user/1/docker.sock"],
    // Containers elsewhere are not attached here.
    ["tcp://10.0.0.1:2375", null],
  ])("%j leads to %j", (host, path) => {
    expect(dockerSocket({ DOCKER_HOST: host })).toBe(path);
  });
});

describe("events", () => {
  test("each is told; the end is told once", async () => {
    let ends = 0;
    const changed = await new Promise<string>((resolve) => {
      watchContainers(
        docker.socket,
        () => resolve("changed"),
        () => ends++,
      );
      const send = setInterval(() => {
        if (docker.listeners === 0) return;
        clearInterval(send);
        docker.event();
      }, 5);
    });
    expect(changed).toBe("changed");
    await docker.close();
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(ends).toBe(1);
    docker = await startFakeDocker();
  });

  test("a runtime that is not there is an end", async () => {
    const ended = await new Promise<string>((resolve) => {
      watchContainers(
        "/nonexistent/docker.sock",
        () => resolve("changed"),
        () => resolve("ended"),
      );
    });
    expect(ended).toBe("ended");
  });
});
