#include "api/process_table.h"
#include "base/error.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <ctime>

namespace kedge::api {
namespace {

using Row = std::vector<std::string>;

struct ProcessTables : testing::Test {
    void SetUp() override {
        ::setenv("TZ", "UTC", 1);
        ::tzset();
        context.now = parse_time("2026-03-05T12:00:00Z");
        context.memory = 1 << 30;
        context.user = [](uint32_t id) { return id == 0 ? "root" : std::to_string(id); };
        context.group = [](uint32_t id) { return "g" + std::to_string(id); };
        process.pid = 4321;
        process.parent = 4300;
        process.group = process.session = process.terminal_group = 4321;
        process.terminal = 136 << 8 | 3;
        process.state = 'S';
        process.name = "nginx";
        process.arguments = {"nginx: master", "-g", "daemon off;"};
        process.started = parse_time("2026-03-05T11:00:30Z");
        process.age = context.now - process.started;
        process.cpu_time = std::chrono::seconds(3725);
        process.priority = 20;
        process.threads = 2;
        process.virtual_memory = 8 << 20;
        process.resident = 2 << 20;
    }
    ProcessTable table(const std::string& options) { return process_table(options, {process}, context); }
    std::string refusal(const std::string& options) {
        try {
            (void)table(options);
        } catch (const Error& e) {
            EXPECT_EQ(e.code(), Code::invalid_argument);
            return e.what();
        }
        return "not refused";
    }
    runtime::ProcessInfo process;
    ProcessContext context;
};

}  // namespace

TEST_F(ProcessTables, HaveDockersColumnsUnlessTold) {
    for (const char* options : {"", "-ef", "-e -f", "-Af", "-efww"}) {
        EXPECT_EQ(table(options).titles, (Row{"UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"})) << options;
        EXPECT_EQ(table(options).rows, (std::vector<Row>{{"root", "4321", "4300", "99", "11:00", "pts/3", "01:02:05",
                                                          "nginx: master -g daemon off;"}}));
    }
}

TEST_F(ProcessTables, KnowTheUsualFormats) {
    for (const char* options : {"aux", "-aux", "auxww", "au x"}) {
        EXPECT_EQ(table(options).titles,
                  (Row{"USER", "PID", "%CPU", "%MEM", "VSZ", "RSS", "TTY", "STAT", "START", "TIME", "COMMAND"}))
            << options;
        EXPECT_EQ(table(options).rows.at(0), (Row{"root", "4321", "104.3", "0.1", "8192", "2048", "pts/3", "Ssl+",
                                                  "11:00", "62:05", "nginx: master -g daemon off;"}));
    }
    EXPECT_EQ(table("-e").titles, (Row{"PID", "TTY", "TIME", "CMD"}));
    EXPECT_EQ(table("-e").rows.at(0).at(3), "nginx");
    EXPECT_EQ(table("ax").titles, (Row{"PID", "TTY", "STAT", "TIME", "COMMAND"}));
    EXPECT_EQ(table("-el").titles,
              (Row{"F", "S", "UID", "PID", "PPID", "C", "PRI", "NI", "ADDR", "SZ", "WCHAN", "TTY", "TIME", "CMD"}));
    EXPECT_EQ(table("-eF").titles, (Row{"UID", "PID", "PPID", "C", "SZ", "RSS", "PSR", "STIME", "TTY", "TIME", "CMD"}));
    EXPECT_EQ(table("-ej").titles, (Row{"PID", "PGID", "SID", "TTY", "TIME", "CMD"}));
    EXPECT_EQ(table("axl").titles.size(), 13u);
    EXPECT_EQ(table("axj").titles.size(), 10u);
}

TEST_F(ProcessTables, ShowTheColumnsOfAList) {
    process.effective_user = 1000;
    EXPECT_EQ(table("-o pid,comm,args,user").titles, (Row{"PID", "COMMAND", "COMMAND", "USER"}));
    for (const char* options : {"-opid,user", "-eo pid,user", "o pid,user", "--format pid,user", "--format=pid,user",
                                "-o pid -o user", "-A -o pid,user"}) {
        EXPECT_EQ(table(options).rows, (std::vector<Row>{{"4321", "1000"}})) << options;
    }
    EXPECT_EQ(table("-o pid=,args=What").titles, (Row{"", "What"}));
    EXPECT_EQ(table("-o etime,etimes,group,nlwp,tname").rows.at(0), (Row{"59:30", "3570", "g0", "2", "pts/3"}));
}

TEST_F(ProcessTables, RefuseWhatTheyDoNotKnowByName) {
    EXPECT_EQ(refusal("-o nosuch"), "ps: unknown user-defined format specifier \"nosuch\"");
    EXPECT_EQ(refusal("-o pid,,comm"), "ps: unknown user-defined format specifier \"\"");
    EXPECT_EQ(refusal("-z"), "ps: the option \"-z\" is not supported by kedge");
    EXPECT_EQ(refusal("-eTf"), "ps: the option \"-T\" is not supported by kedge");
    EXPECT_EQ(refusal("--forest"), "ps: the option \"--forest\" is not supported by kedge");
    EXPECT_EQ(refusal("axf"), "ps: the option \"f\" in \"axf\" is not supported by kedge");
    EXPECT_EQ(refusal("1"), "ps: the option \"1\" is not supported by kedge");
    EXPECT_EQ(refusal("-"), "ps: the option \"-\" is not supported by kedge");
    EXPECT_EQ(refusal("-o"), "ps: the option -o needs a list of columns");
    EXPECT_EQ(refusal("-f -o pid"), "ps: conflicting format options");
}

TEST_F(ProcessTables, SayNothingThatATerminalWouldObey) {
    process.arguments = {"x\033[2Jy\n", "z"};
    EXPECT_EQ(table("-o args").rows.at(0).at(0), "x?[2Jy? z");
    process.arguments.clear();
    process.name = "a\tb";
    process.state = 'Z';
    EXPECT_EQ(table("-o args,comm").rows.at(0), (Row{"[a?b] <defunct>", "a?b <defunct>"}));
}

TEST_F(ProcessTables, WriteTimesAsPsDoes) {
    auto start = [&](const char* time) {
        process.started = parse_time(time);
        return table("-o stime").rows.at(0).at(0);
    };
    EXPECT_EQ(start("2026-03-05T00:01:00Z"), "00:01");
    EXPECT_EQ(start("2026-03-04T23:00:00Z"), "Mar04");
    EXPECT_EQ(start("2025-12-31T23:00:00Z"), "2025");
    process.cpu_time = process.age = std::chrono::hours(49) + std::chrono::seconds(61);
    EXPECT_EQ(table("-o time,bsdtime,etime").rows.at(0), (Row{"2-01:01:01", "2941:01", "2-01:01:01"}));
    process.terminal = 0;
    EXPECT_EQ(table("-o tty").rows.at(0).at(0), "?");
    process.terminal = 4 << 8 | 65;
    EXPECT_EQ(table("-o tty").rows.at(0).at(0), "ttyS1");
}

TEST(ProcessContexts, KnowTheHostsUsers) {
    ProcessContext context = process_context();
    EXPECT_EQ(context.user(0), "root");
    EXPECT_EQ(context.group(0), "root");
    EXPECT_EQ(context.user(3999999999), "3999999999");
    EXPECT_GT(context.memory, 0u);
}

}  // namespace kedge::api
