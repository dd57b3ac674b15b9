#include "api/process_table.h"

#include "base/error.h"
#include "base/text.h"

#include <grp.h>
#include <pwd.h>
#include <unistd.h>

#include <sstream>

namespace kedge::api {

namespace {

struct Shown {
    const ProcessColumn* column;
    std::string title;
};

/// A list of columns as `-o` takes it: `pid,args=Command,user`.
void read_columns(const std::string& list, std::vector<Shown>& shown) {
    std::string text = list;
    for (char& c : text) {
        if (c == ' ') c = ',';
    }
    for (const std::string& part : split(text, ',')) {
        const size_t equals = part.find('=');
        const std::string word = part.substr(0, equals);
        const ProcessColumn* column = find_process_column(word);
        if (!column) throw Error(Code::invalid_argument, "ps: unknown user-defined format specifier \"" + word + "\"");
        shown.push_back({column, equals == std::string::npos ? column->heading : part.substr(equals + 1)});
    }
}

/// Which of the formats that need no list was asked for.
struct Formats {
    bool full = false, extra_full = false, is_long = false, jobs = false;  // UNIX options, with a dash
    bool bsd = false, user = false, bsd_long = false, bsd_jobs = false;    // BSD options, without
    bool any() const { return full || extra_full || is_long || jobs || user || bsd_long || bsd_jobs; }
};

const char* columns_of(const Formats& f) {
    if (f.user) return "user,pid,%cpu,%mem,vsz,rss,tname,stat,start_time,bsdtime,args";
    if (f.bsd_jobs) return "ppid,pid,pgid,sid,tname,tpgid,stat,uid,bsdtime,args";
    if (f.bsd_long) return "f,uid,pid,ppid,priority,ni,vsz,rss,wchan,stat,tname,bsdtime,args";
    if (f.bsd) return "pid,tname,stat,bsdtime,args";
    if (f.is_long && f.full) return "f,s,user=UID,pid,ppid,c,opri,ni,addr,sz,wchan,stime,tname,time,args=CMD";
    if (f.is_long) return "f,s,uid,pid,ppid,c,opri,ni,addr,sz,wchan,tname,time,comm=CMD";
    if (f.jobs && f.full) return "user=UID,pid,ppid,pgid,sid,c,stime,tname,time,args=CMD";
    if (f.jobs) return "pid,pgid,sid,tname,time,comm=CMD";
    if (f.extra_full) return "user=UID,pid,ppid,c,sz,rss,psr,stime,tname,time,args=CMD";
    if (f.full) return "user=UID,pid,ppid,c,stime,tname,time,args=CMD";
    return "pid,tname,time,comm=CMD";
}

/// Reads the options one after the other.
class Options {
public:
    explicit Options(const std::string& text) {
        std::istringstream words(text);
        for (std::string word; words >> word;) words_.push_back(word);
    }

    std::vector<Shown> read() {
        if (words_.empty()) formats_.full = true;
        while (next_ < words_.size()) {
            const std::string word = words_[next_++];
            if (word.starts_with("--"))
                read_long(word);
            else if (word.starts_with("-aux"))  // as everybody writes it
                read_bsd(word.substr(1));
            else if (word.starts_with('-') && word.size() > 1)
                read_unix(word);
            else
                read_bsd(word);
        }
        if (!shown_.empty() && formats_.any()) throw Error(Code::invalid_argument, "ps: conflicting format options");
        if (shown_.empty()) read_columns(columns_of(formats_), shown_);
        return std::move(shown_);
    }

private:
    [[noreturn]] static void refuse(const std::string& option) {
        throw Error(Code::invalid_argument, "ps: the option \"" + option + "\" is not supported by kedge",
                    "-ef, -eF, -el, -ej, aux, axl, axj or -o COLUMN,...");
    }

    void take_list(const std::string& option, const std::string& rest) {
        if (rest.empty() && next_ >= words_.size())
            throw Error(Code::invalid_argument, "ps: the option " + option + " needs a list of columns");
        read_columns(rest.empty() ? words_[next_++] : rest, shown_);
    }

    void read_long(const std::string& word) {
        constexpr std::string_view kFormat = "--format";
        if (word == kFormat)
            take_list(word, {});
        else if (word.starts_with("--format="))
            take_list("--format", word.substr(kFormat.size() + 1));
        else
            refuse(word);
    }

    void read_unix(const std::string& word) {
        for (size_t i = 1; i < word.size(); ++i) {
            switch (word[i]) {
                case 'A':
                case 'e':
                case 'w': break;  // all of them, in full width
                case 'f': formats_.full = true; break;
                case 'F': formats_.extra_full = true; break;
                case 'l': formats_.is_long = true; break;
                case 'j': formats_.jobs = true; break;
                case 'o': return take_list("-o", word.substr(i + 1));
                default: refuse(std::string("-") + word[i]);
            }
        }
    }

    void read_bsd(const std::string& word) {
        formats_.bsd = true;
        for (size_t i = 0; i < word.size(); ++i) {
            switch (word[i]) {
                case 'a':
                case 'x':
                case 'w': break;
                case 'u': formats_.user = true; break;
                case 'l': formats_.bsd_long = true; break;
                case 'j': formats_.bsd_jobs = true; break;
                case 'o': return take_list("o", word.substr(i + 1));
                default: refuse(word.size() == 1 ? word : std::string(1, word[i]) + "\" in \"" + word);
            }
        }
    }

    std::vector<std::string> words_;
    size_t next_ = 0;
    Formats formats_;
    std::vector<Shown> shown_;
};

constexpr size_t kEntryLimit = 65536;

std::string user_name(uint32_t id) {
    passwd entry{}, *found = nullptr;
    std::vector<char> buffer(kEntryLimit);
    if (::getpwuid_r(id, &entry, buffer.data(), buffer.size(), &found) == 0 && found) return found->pw_name;
    return std::to_string(id);
}

std::string group_name(uint32_t id) {
    group entry{}, *found = nullptr;
    std::vector<char> buffer(kEntryLimit);
    if (::getgrgid_r(id, &entry, buffer.data(), buffer.size(), &found) == 0 && found) return found->gr_name;
    return std::to_string(id);
}

}  // namespace

ProcessTable process_table(const std::string& options, const std::vector<runtime::ProcessInfo>& processes,
                           const ProcessContext& context) {
    const std::vector<Shown> shown = Options(options).read();
    ProcessTable table;
    for (const Shown& each : shown) table.titles.push_back(each.title);
    for (const runtime::ProcessInfo& process : processes) {
        std::vector<std::string>& row = table.rows.emplace_back();
        for (const Shown& each : shown) row.push_back(each.column->cell(process, context));
    }
    return table;
}

ProcessContext process_context() {
    return {wall_now(),
            static_cast<uint64_t>(::sysconf(_SC_PHYS_PAGES)) * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE)),
            user_name, group_name};
}

}  // namespace kedge::api
