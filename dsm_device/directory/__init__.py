"""Where scan processes come from: a folder today, Active Directory later."""
