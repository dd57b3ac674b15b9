#include "cli/template.h"

#include "base/error.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

using namespace kedge;
using namespace kedge::cli;
using nlohmann::json;

namespace {

const json kContainer = json::parse(R"({
    "Name": "/web", "Id": "0123456789abcdef", "Restarts": 3, "Dead": false, "Health": null,
    "State": {"Status": "running", "ExitCode": 0},
    "Labels": {"a.b": "dotted", "z": "last"},
    "Args": ["-c", "true"],
    "Networks": {"back": {"IP": "10.0.0.2"}, "front": {"IP": "10.0.1.2"}},
    "Ports": {"80/tcp": [{"HostPort": "8080"}], "443/tcp": []}})");

std::string render(const std::string& text) {
    return render_template(text, kContainer);
}

}  // namespace

TEST(Template, PutsMembersIntoText) {
    EXPECT_EQ(render("plain"), "plain");
    EXPECT_EQ(render(""), "");
    EXPECT_EQ(render("{{.Name}} is {{ .State.Status }}"), "/web is running");
    EXPECT_EQ(render("{{.Restarts}}/{{.Dead}}/{{.Health}}"), "3/false/<nil>");
    EXPECT_EQ(render("{{.Name}}\\t{{.Id}}\\n"), "/web\t0123456789abcdef\n");
    EXPECT_EQ(render("{{.Args}} {{.Labels}} {{.State}}"),
              "[-c true] map[a.b:dotted z:last] map[ExitCode:0 Status:running]");
}

TEST(Template, WritesJson) {
    EXPECT_EQ(render("{{json .State}}"), R"({"ExitCode":0,"Status":"running"})");
    EXPECT_EQ(render("{{.Name | json}}"), R"("/web")");
    EXPECT_EQ(json::parse(render("{{json .}}")), kContainer);
}

TEST(Template, PrintsWhatHasNoValueByItsKind) {
    const json empty =
        json::parse(R"({"Binds": null, "Volumes": null, "PidsLimit": null, "Actor": {"Attributes": {"a": null}}})");
    EXPECT_EQ(render_template("{{.Binds}} {{.Volumes}} {{.PidsLimit}}", empty), "[] map[] <nil>");
    EXPECT_EQ(render_template("{{.Actor.Attributes.exitCode}} {{.Actor}}", empty),
              "<no value> map[Attributes:map[a:<nil>]]");
}

TEST(Template, LooksIntoMapsAndLists) {
    EXPECT_EQ(render(R"({{index .Labels "a.b"}})"), "dotted");
    EXPECT_EQ(render(R"({{index .Labels "none"}}|)"), "|");
    EXPECT_EQ(render("{{index .Args 1}}"), "true");
    EXPECT_EQ(render(R"({{(index (index .Ports "80/tcp") 0).HostPort}})"), "8080");
    EXPECT_EQ(render(R"({{(index .Ports "80/tcp" 0).HostPort}})"), "8080");
    EXPECT_EQ(render("{{len .Args}} {{len .Name}} {{.Labels | len}}"), "2 4 2");
}

TEST(Template, RangesOverMapsAndLists) {
    EXPECT_EQ(render("{{range .Args}}<{{.}}>{{end}}"), "<-c><true>");
    EXPECT_EQ(render("{{range $i, $a := .Args}}{{$i}}={{$a}} {{end}}"), "0=-c 1=true ");
    EXPECT_EQ(render("{{range $name, $n := .Networks}}{{$name}} {{$n.IP}};{{end}}"), "back 10.0.0.2;front 10.0.1.2;");
    EXPECT_EQ(render("{{range .Networks}}{{.IP}} of {{$.Name}};{{end}}"), "10.0.0.2 of /web;10.0.1.2 of /web;");
    EXPECT_EQ(render("{{range $p, $b := .Ports}}{{$p}}{{range $b}}->{{.HostPort}}{{else}} closed{{end}} {{end}}"),
              "443/tcp closed 80/tcp->8080 ");
}

TEST(Template, DecidesByWhatIsThere) {
    EXPECT_EQ(render("{{if .Dead}}dead{{else}}alive{{end}}"), "alive");
    EXPECT_EQ(render("{{if .Health}}{{.Health.Status}}{{else if .Restarts}}restarted{{else}}new{{end}}"), "restarted");
    EXPECT_EQ(render("{{if .State.Health}}x{{else}}no check{{end}}"), "no check");
    EXPECT_EQ(render("{{with .State}}{{.Status}}{{end}}{{with .Missing}}x{{end}}"), "running");
    EXPECT_EQ(render(R"({{if eq .State.Status "running" "paused"}}up{{end}})"), "up");
    EXPECT_EQ(render(R"({{if and .Name (not .Dead) (ne .Restarts 0)}}yes{{end}})"), "yes");
    EXPECT_EQ(render(R"({{if or .Missing.Too .Name}}yes{{end}})"), "yes");
}

TEST(Template, HasDockersFunctions) {
    EXPECT_EQ(render(R"({{join .Args ", "}})"), "-c, true");
    EXPECT_EQ(render(R"({{join (split "a,b" ",") "+"}})"), "a+b");
    EXPECT_EQ(render("{{upper .State.Status}} {{.State.Status | title}} {{lower \"ABC\"}}"), "RUNNING Running abc");
    EXPECT_EQ(render("{{truncate .Id 12}}"), "0123456789ab");
    EXPECT_EQ(render("{{println .Name .Restarts}}"), "/web 3\n");
    EXPECT_EQ(render("{{/* nothing */}}."), ".");
}

TEST(Template, CutsTextsAndLists) {
    EXPECT_EQ(render("{{slice .Id 2 5}} {{slice .Id 13}} {{slice .Id 0 3 | len}} {{slice .Args 1}}"),
              "234 def 3 [true]");
    EXPECT_THROW(render("{{slice .Id 2 99}}"), Error);
    EXPECT_THROW(render("{{slice .Id 5 2}}"), Error);
    EXPECT_THROW(render("{{slice .Restarts 1}}"), Error);
}

TEST(Template, ReadsNumbersAsGoDoes) {
    EXPECT_EQ(render("{{printf \"%.2f %d %d\" 3.14159 0x1F -7}}"), "3.14 31 -7");
    EXPECT_THROW(render("{{print 12ab}}"), Error);
    EXPECT_THROW(render("{{print 1.2.3}}"), Error);
}

TEST(Template, FormatsAndCompares) {
    EXPECT_EQ(render(R"({{printf "%s|%-6s|%q|%05d|%%|%x|%v" .Name .State.Status .Id .Restarts 255 .Args}})"),
              "/web|running|\"0123456789abcdef\"|00003|%|ff|[-c true]");
    EXPECT_EQ(render(R"({{printf "%8s|%.2f" .Name 2}})"), "    /web|2.00");
    EXPECT_EQ(render(R"({{lt 1 2}} {{gt .Restarts 3}} {{ge .Restarts 3}} {{le "a" "b"}})"), "true false true true");
    EXPECT_EQ(render(R"({{pad .Name 1 2}}|{{pad "" 1 2}}|)"), " /web  ||");
    for (const char* bad :
         {R"({{printf "%d" .Name}})", R"({{printf "%s"}})", R"({{printf "x" .Name}})", R"({{printf "%n" 1}})",
          R"({{printf "%*d" 1 2}})", R"({{printf "%"}})", R"({{lt 1 "a"}})", R"({{pad .Name "x" 1}})"}) {
        EXPECT_THROW((void)render(bad), Error) << bad;
    }
}

TEST(Template, RowsAnswerForTheirLabels) {
    const json row = {{"Names", "web"}, {"Label", {{"tier", "front"}}}};
    EXPECT_EQ(render_template(R"({{.Label "tier"}}{{.Label "none"}})", row), "front");
    EXPECT_EQ(render_template("{{json .}} {{.}}", row), R"({"Names":"web"} map[Names:web])");
}

TEST(Template, TrimsBesideItsBraces) {
    EXPECT_EQ(render("a  {{- .Restarts -}}  b"), "a3b");
    EXPECT_EQ(render("{{range .Args -}}\n  {{.}},\n{{- end}}"), "-c,true,");
}

TEST(Template, SaysWhatItDoesNotUnderstand) {
    for (const char* bad : {"{{.Name",
                            "{{}}",
                            "{{.Name | nosuch}}",
                            "{{nosuch .Name}}",
                            "{{.Nothing}}",
                            "{{.Name.More}}",
                            "{{range .Args}}",
                            "{{end}}",
                            "{{if}}x{{end}}",
                            "{{range .Name}}{{end}}",
                            "{{index .Args 7}}",
                            "{{index .Args \"x\"}}",
                            "{{(.Name}}",
                            "{{\"x}}",
                            "{{$x}}",
                            "{{.Name .Id}}",
                            "{{..Name}}",
                            "{{.Name.}}",
                            "{{join .Args}}",
                            "{{upper .Args}}",
                            "{{.Name | .Id}}",
                            "{{range $a, $b, $c := .Args}}{{end}}",
                            "{{len}}",
                            "{{else}}",
                            "{{truncate .Id \"x\"}}",
                            "{{.Name)}}"}) {
        try {
            ADD_FAILURE() << bad << " became " << render(bad);
        } catch (const Error& error) {
            EXPECT_EQ(error.code(), Code::invalid_argument) << bad;
            EXPECT_EQ(std::string(error.what()).find("template: "), 0u) << error.what();
        }
    }
}

TEST(Template, KnowsTheHeadingsOfItsColumns) {
    EXPECT_EQ(split_columns("{{.ID}}\\t{{.Names}}\t{{.X}}"),
              (std::vector<std::string>{"{{.ID}}", "{{.Names}}", "{{.X}}"}));
    auto known = [](const std::string& member) { return member == "ID" ? std::string("CONTAINER ID") : std::string(); };
    EXPECT_EQ(template_heading("{{.ID}}", known), "CONTAINER ID");
    EXPECT_EQ(template_heading("{{json .Labels}}", known), "LABELS");
    EXPECT_EQ(template_heading("{{.SharedSize}}", known), "SHARED SIZE");
    EXPECT_EQ(template_heading(R"({{.Label "tier"}})", known), "tier");
    EXPECT_EQ(template_heading("x", known), "x");
}
