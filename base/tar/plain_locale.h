#pragma once

#include "base/error.h"

#include <locale.h>

namespace kedge {

/// libarchive converts the names of pax archives from and to the thread's locale, and normalises them on the way (NFC).
/// In the C locale it can't, and passes the bytes on as they are.
class PlainLocale {
public:
    PlainLocale() : plain_(::newlocale(LC_ALL_MASK, "C", nullptr)) {
        if (!plain_) throw_errno("newlocale");
        before_ = ::uselocale(plain_);
    }
    ~PlainLocale() {
        (void)::uselocale(before_);
        ::freelocale(plain_);
    }
    PlainLocale(const PlainLocale&) = delete;
    PlainLocale& operator=(const PlainLocale&) = delete;

private:
    locale_t plain_;
    locale_t before_{};
};

}  // namespace kedge
