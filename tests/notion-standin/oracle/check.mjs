// Notion's own client works against the stand-in, and what it answers has the types that Notion publishes.
//
//   node check.mjs URL TOKEN DATABASE_ID DATA_SOURCE_ID
//
// Two generations of the client: 5.x knows data sources (2025-09-03, 2026-03-11), 2.x is the last one whose types
// describe 2022-06-28. Prints a line a check; exits 1 where one fails.

import { strict as assert } from "node:assert";
import { Client } from "@notionhq/client";
import { Client as Client2022 } from "notion2022";
import { Ajv } from "ajv";
import { createGenerator } from "ts-json-schema-generator";

const [url, token, databaseId, dataSourceId] = process.argv.slice(2);
const here = (path) => new URL(`./node_modules/${path}`, import.meta.url).pathname;
const ajv = new Ajv({ strict: false, validateFormats: false });

/** Validators for some types of a client's declarations. */
function validators(path, types) {
  const generator = createGenerator({ path: decodeURIComponent(here(path)), skipTypeCheck: true, topRef: false });
  return Object.fromEntries(types.map((type) => [type, ajv.compile(generator.createSchema(type))]));
}

const types = validators("@notionhq/client/build/src/api-endpoints/*.d.ts", [
  "PageObjectResponse",
  "DatabaseObjectResponse",
  "DataSourceObjectResponse",
  "QueryDataSourceResponse",
  "GetSelfResponse",
]);
const types2022 = validators("notion2022/build/src/api-endpoints.d.ts", [
  "PageObjectResponse",
  "DatabaseObjectResponse",
  "QueryDatabaseResponse",
  "GetSelfResponse",
]);

/** What the types do not say: every reply has a request id, and the trash's name changed with 2026-03-11. */
function typed(validate, reply, version) {
  const value = structuredClone(reply);
  assert.match(value.request_id, /^[0-9a-f-]{36}$/);
  delete value.request_id;
  for (const object of value.object === "list" ? value.results : [value]) {
    if (version === "2026-03-11" && object.object !== "user") {
      assert.equal(object.archived, undefined);
      object.archived = object.in_trash;
    }
    if (version === "2022-06-28") {
      // Keys that Notion added to its replies after these types were made.
      delete object.is_archived;
      delete object.is_locked;
      delete object.bot?.workspace_id;
      delete object.bot?.workspace_limits;
    }
  }
  assert.ok(validate(value), ajv.errorsText(validate.errors?.slice(0, 8), { separator: "\n" }));
}

async function check(name, test) {
  try {
    await test();
    console.log(`ok: ${name}`);
  } catch (error) {
    process.exitCode = 1;
    console.log(`NOT OK: ${name}\n${error.stack}`);
  }
}

const text = (content) => [{ text: { content } }];
const properties = (room, link) => ({
  Name: { title: text(`Meeting ${room}`) },
  Date: { date: { start: "2026-01-02T10:00:00Z" } },
  "Recording URL": { url: link },
  Room: { rich_text: text(room) },
  Status: { select: { name: "recorded" } },
  Provider: { select: { name: "mp4" } },
});

/** Creates, reads, edits and finds pages. `query` hides where a version queries. */
async function rows(client, version, parent, query, validate) {
  const link = `https://example.org/${version}/a%20b.mp4`;
  let page;
  await check(`${version}: create a page`, async () => {
    page = await client.pages.create({ parent, properties: properties(version, link) });
    typed(validate.page, page, version);
    assert.equal(page.properties["Recording URL"].url, link);
    assert.equal(page.properties.Room.rich_text[0].plain_text, version);
  });
  await check(`${version}: create a page with the title alone`, async () => {
    const bare = await client.pages.create({ parent, properties: { Name: { title: text("bare") } } });
    typed(validate.page, bare, version);
    assert.equal(bare.properties.Date.date, null);
    assert.deepEqual(bare.properties.Room.rich_text, []);
  });
  await check(`${version}: retrieve it`, async () => {
    const same = await client.pages.retrieve({ page_id: page.id.replaceAll("-", "") });
    typed(validate.page, same, version);
    assert.deepEqual({ ...same, request_id: page.request_id }, page);
  });
  await check(`${version}: update it`, async () => {
    const changed = { Status: { select: { name: "published" } }, Provider: { select: null } };
    const edited = await client.pages.update({ page_id: page.id, properties: changed });
    typed(validate.page, edited, version);
    assert.equal(edited.properties.Status.select.name, "published");
    assert.equal(edited.properties.Provider.select, null);
    assert.equal(edited.properties["Recording URL"].url, link);
  });
  await check(`${version}: query by URL`, async () => {
    const found = await query({ filter: { property: "Recording URL", url: { equals: link } }, page_size: 10 });
    typed(validate.list, found, version);
    assert.deepEqual(found.results.map((row) => row.id), [page.id]);
  });
  await check(`${version}: query page by page`, async () => {
    const sorts = [{ timestamp: "created_time", direction: "ascending" }];
    const first = await query({ sorts, page_size: 1 });
    typed(validate.list, first, version);
    assert.ok(first.has_more);
    const second = await query({ sorts, page_size: 1, start_cursor: first.next_cursor });
    typed(validate.list, second, version);
    assert.notEqual(first.results[0].id, second.results[0].id);
  });
  await check(`${version}: trash it`, async () => {
    const switched = version === "2026-03-11" ? { in_trash: true } : { archived: true };
    // Past the client's own methods, which know only one of the two names.
    const trashed = await client.request({ path: `pages/${page.id}`, method: "patch", body: switched });
    typed(validate.page, trashed, version);
    assert.ok(trashed.in_trash);
    const again = client.pages.update({ page_id: page.id, properties: {} });
    await assert.rejects(again, { code: "validation_error", status: 400 });
  });
  await check(`${version}: an error is one of the client's own`, async () => {
    const nowhere = "00000000-0000-4000-8000-000000000000";
    await assert.rejects(client.pages.retrieve({ page_id: nowhere }), { code: "object_not_found", status: 404 });
    const unknown = client.pages.create({ parent, properties: { Nme: { title: text("x") } } });
    await assert.rejects(unknown, { code: "validation_error", message: "Nme is not a property that exists." });
  });
}

const columns = { Name: { title: {} }, Link: { url: {} }, State: { select: { options: [{ name: "a" }] } } };

for (const version of ["2025-09-03", "2026-03-11"]) {
  const client = new Client({ auth: token, baseUrl: url, logLevel: "error", notionVersion: version });
  await check(`${version}: who am I`, async () => typed(types.GetSelfResponse, await client.users.me({}), version));
  await check(`${version}: retrieve the database`, async () => {
    const database = await client.databases.retrieve({ database_id: databaseId });
    typed(types.DatabaseObjectResponse, database, version);
    assert.deepEqual(database.data_sources.map((source) => source.id), [dataSourceId]);
  });
  await check(`${version}: retrieve the data source`, async () => {
    const source = await client.dataSources.retrieve({ data_source_id: dataSourceId });
    typed(types.DataSourceObjectResponse, source, version);
    assert.equal(source.properties["Recording URL"].type, "url");
  });
  const validate = { page: types.PageObjectResponse, list: types.QueryDataSourceResponse };
  const query = (body) => client.dataSources.query({ data_source_id: dataSourceId, ...body });
  await rows(client, version, { type: "data_source_id", data_source_id: dataSourceId }, query, validate);
  await check(`${version}: create a database`, async () => {
    const created = await client.databases.create({
      parent: { type: "workspace", workspace: true },
      title: text("Another"),
      initial_data_source: { properties: columns },
    });
    typed(types.DatabaseObjectResponse, created, version);
  });
}

{
  const version = "2022-06-28";
  const client = new Client2022({ auth: token, baseUrl: url, logLevel: "error", notionVersion: version });
  await check(`${version}: who am I`, async () => typed(types2022.GetSelfResponse, await client.users.me({}), version));
  await check(`${version}: retrieve the database`, async () => {
    const database = await client.databases.retrieve({ database_id: databaseId });
    typed(types2022.DatabaseObjectResponse, database, version);
    assert.equal(database.properties["Recording URL"].type, "url");
  });
  const validate = { page: types2022.PageObjectResponse, list: types2022.QueryDatabaseResponse };
  const query = (body) => client.databases.query({ database_id: databaseId, ...body });
  await rows(client, version, { database_id: databaseId }, query, validate);
}
